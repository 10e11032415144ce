// Trees in the simulator: attach, multicast, leave, repair of parents [SCRIBE §3].
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/scribe/world.h"

using namespace scribe;
using namespace scribe::test;

namespace {

// A forwarder of the topic with at least `children` children that is neither root nor `except`.
NodeIndex find_forwarder(World& world, const std::string& topic, std::size_t children,
                         NodeIndex except) {
  for (const NodeIndex node : world.running()) {
    if (node == except) continue;
    const TopicView view = world.view(node, topic);
    if (view.in_tree && !view.root && view.children.size() >= children) return node;
  }
  return pastry::sim::kNoNode;
}

}  // namespace

TEST_CASE("members attach, get every message once and in order, others get nothing") {
  World world({.seed = 11, .nodes = 32});
  std::vector<Reader*> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(&world.subscribe(world.nodes[i], "weather"));
  Reader& other = world.subscribe(world.nodes[5], "sports");
  world.simulator().run_for(seconds(3));
  for (const Reader* reader : readers) CHECK(reader->attached_count == 1);
  world.check_tree("weather");

  Publishing publishing{world, world.nodes[31], "weather", {}};
  publishing.run(200, milliseconds(2));
  world.simulator().run_for(seconds(2));
  CHECK(world.acknowledged == 200);
  check_all(readers, publishing.texts);
  CHECK(other.texts.empty());
  CHECK(world.registry.claims == 2);
}

TEST_CASE("several local subscribers, one of them late, each with its own credit") {
  World world({.seed = 12, .nodes = 8});
  Reader& first = world.subscribe(world.nodes[3], "t");
  Reader& second = world.subscribe(world.nodes[3], "t");
  world.simulator().run_for(seconds(2));
  Publishing publishing{world, world.nodes[4], "t", {}};
  publishing.run(10, milliseconds(5));
  world.simulator().run_for(seconds(1));
  Reader& late = world.subscribe(world.nodes[3], "t");
  world.simulator().run_for(seconds(1));
  CHECK(late.attached_count == 1);
  publishing.run(10, milliseconds(5));
  world.simulator().run_for(seconds(1));
  check_all({&first, &second}, publishing.texts);
  check_all({&late}, {publishing.texts.begin() + 10, publishing.texts.end()});
}

TEST_CASE("who leaves gets nothing more, and forwarders that nobody needs leave too") {
  World world({.seed = 13, .nodes = 32});
  std::vector<Reader*> readers;
  for (int i = 0; i < 12; ++i) readers.push_back(&world.subscribe(world.nodes[i], "t"));
  world.simulator().run_for(seconds(3));
  for (int i = 0; i < 6; ++i) world.unsubscribe(world.nodes[i], *readers[i]);
  world.simulator().run_for(seconds(3));
  world.check_tree("t");
  Publishing publishing{world, world.nodes[20], "t", {}};
  publishing.run(20, milliseconds(5));
  world.simulator().run_for(seconds(2));
  for (int i = 0; i < 6; ++i) CHECK(readers[i]->texts.empty());
  check_all({readers.begin() + 6, readers.end()}, publishing.texts);

  for (int i = 6; i < 12; ++i) world.unsubscribe(world.nodes[i], *readers[i]);
  world.simulator().run_for(seconds(90));
  for (const NodeIndex node : world.nodes) {
    CHECK(world.scribe(node).topic_count() == 0);
  }
}

TEST_CASE("a publish to a topic without subscribers is acknowledged; its state goes away") {
  World world({.seed = 14, .nodes = 8});
  CHECK(world.publish(world.nodes[2], "nobody", "hello"));
  world.simulator().run_for(seconds(2));
  CHECK(world.acknowledged == 1);
  world.simulator().run_for(seconds(90));
  for (const NodeIndex node : world.nodes) CHECK(world.scribe(node).topic_count() == 0);
}

TEST_CASE("who has left its last topic keeps nothing, and begins anew without mixing up") {
  World world({.seed = 15, .nodes = 8});
  Reader& first = world.subscribe(world.nodes[1], "t");
  world.simulator().run_for(seconds(2));
  CHECK(world.publish(world.nodes[2], "t", "one"));
  world.simulator().run_for(seconds(1));
  CHECK(first.texts == std::vector<std::string>{"one"});
  CHECK_FALSE(world.scribe(world.nodes[1]).idle());
  world.unsubscribe(world.nodes[1], first);
  // A publisher remembers its numbers for ten minutes.
  world.simulator().run_for(seconds(720));
  for (const NodeIndex node : world.nodes) CHECK(world.scribe(node).idle());
  Reader& second = world.subscribe(world.nodes[1], "t");
  CHECK(second.subscription != first.subscription);
  world.unsubscribe(world.nodes[1], first);
  world.simulator().run_for(seconds(2));
  CHECK(world.publish(world.nodes[2], "t", "two"));
  world.simulator().run_for(seconds(1));
  CHECK(second.texts == std::vector<std::string>{"two"});
  CHECK(first.texts == std::vector<std::string>{"one"});
}

TEST_CASE("publishes that wait for the root's epoch count as the node's bytes") {
  World world({.seed = 16, .nodes = 8});
  world.settings.node_bytes = 400'000;
  world.registry.failures = 1'000'000;
  const std::string text(50'000, 'x');
  std::vector<NodeIndex> roots;
  std::size_t kept = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string topic = "topic " + std::to_string(i);
    roots.push_back(world.root_of(topic));
    for (int j = 0; j < 4; ++j) world.publish(world.nodes[i % 8], topic, text);
    world.simulator().run_for(seconds(2));
  }
  const auto bytes_of = [&](NodeIndex node) { return world.scribe(node).buffered_bytes(); };
  for (const NodeIndex node : world.nodes) {
    CHECK(bytes_of(node) <= world.settings.node_bytes);
    kept += bytes_of(node);
  }
  CHECK(kept >= text.size());
  CHECK(world.acknowledged == 0);
  world.registry.failures = 0;
  world.simulator().run_for(seconds(20));
  CHECK(world.acknowledged == 48);
  world.simulator().run_for(seconds(90));
  for (const NodeIndex node : world.nodes) CHECK(bytes_of(node) == 0);
}

TEST_CASE("a forwarder with children dies in mid-stream: nothing lost, nothing twice") {
  for (const std::uint64_t seed : {21, 22, 23}) {
    CAPTURE(seed);
    World world({.seed = seed, .nodes = 48});
    const std::vector<NodeIndex> homes(world.nodes.begin(), world.nodes.begin() + 20);
    const NodeIndex publisher = world.nodes[40];
    NodeIndex victim = pastry::sim::kNoNode;
    std::string topic;
    std::vector<Reader*> readers;
    // Not every tree is deep enough.
    for (int i = 0; i < 20 && victim == pastry::sim::kNoNode; ++i) {
      topic = "topic " + std::to_string(i);
      readers.clear();
      for (const NodeIndex node : homes) readers.push_back(&world.subscribe(node, topic));
      world.simulator().run_for(seconds(3));
      victim = find_forwarder(world, topic, 2, publisher);
    }
    REQUIRE(victim != pastry::sim::kNoNode);
    Publishing publishing{world, publisher, topic, {}};
    publishing.run(300, milliseconds(5));
    world.simulator().crash(victim);
    publishing.run(1500, milliseconds(5));
    world.simulator().run_for(seconds(15));
    CHECK(world.acknowledged == publishing.texts.size());
    CHECK(publishing.texts.size() > 1500);
    std::vector<Reader*> alive;
    for (std::size_t i = 0; i < homes.size(); ++i) {
      if (homes[i] != victim) alive.push_back(readers[i]);
    }
    check_all(alive, publishing.texts);
    world.check_tree(topic);
  }
}

TEST_CASE("the whole tree can be collected from any node") {
  World world({.seed = 51, .nodes = 40});
  for (int i = 0; i < 25; ++i) world.subscribe(world.nodes[i], "t");
  world.simulator().run_for(seconds(3));
  Tree tree;
  int calls = 0;
  world.run(world.nodes[39], [&](Context context) {
    world.scribe(world.nodes[39])
        .collect_tree(context, "t", [&](Context, const Result<Tree>& result) {
          ++calls;
          REQUIRE(result);
          tree = *result;
        });
  });
  world.simulator().run_for(seconds(3));
  REQUIRE(calls == 1);
  CHECK_FALSE(tree.truncated);
  std::size_t in_tree = 0;
  for (const NodeIndex node : world.nodes) in_tree += world.view(node, "t").in_tree ? 1 : 0;
  CHECK(tree.members.size() == in_tree);
  std::set<NodeId> seen;
  std::uint32_t subscribers = 0;
  for (const TreeMember& member : tree.members) {
    CHECK((member.depth == 0 || seen.contains(member.parent)));
    seen.insert(member.id);
    subscribers += member.subscribers;
  }
  CHECK(subscribers == 25);

  Result<Tree> missing = Tree{};
  world.run(world.nodes[1], [&](Context context) {
    world.scribe(world.nodes[1])
        .collect_tree(context, "no such topic",
                      [&](Context, const Result<Tree>& result) { missing = result; });
  });
  world.simulator().run_for(seconds(3));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == pastry::ErrorCode::not_found);
}

TEST_CASE("claims that fail are repeated") {
  World world({.seed = 61, .nodes = 8});
  world.registry.failures = 3;
  Reader& reader = world.subscribe(world.nodes[1], "t");
  Publishing publishing{world, world.nodes[2], "t", {}};
  world.simulator().run_for(seconds(6));
  CHECK(reader.attached_count == 1);
  publishing.run(5, milliseconds(10));
  world.simulator().run_for(seconds(2));
  check_all({&reader}, publishing.texts);
}

TEST_CASE("topics are bounded per node and independent of each other") {
  World world({.seed = 71, .nodes = 16});
  std::vector<Reader*> readers;
  for (int i = 0; i < 200; ++i) {
    readers.push_back(&world.subscribe(world.nodes[i % 16], "topic " + std::to_string(i % 50)));
  }
  world.simulator().run_for(seconds(5));
  for (int i = 0; i < 50; ++i) {
    const std::string topic = "topic " + std::to_string(i);
    CHECK(world.publish(world.nodes[(i * 7) % 16], topic, topic));
  }
  world.simulator().run_for(seconds(3));
  CHECK(world.acknowledged == 50);
  for (int i = 0; i < 200; ++i) {
    CHECK(readers[i]->texts == std::vector<std::string>{"topic " + std::to_string(i % 50)});
  }
  world.settings.topics_max = world.scribe(world.nodes[0]).topic_count();
  Reader refused;
  world.run(world.nodes[0], [&](Context context) {
    const auto result = world.scribe(world.nodes[0]).subscribe(context, "one more", refused);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == pastry::ErrorCode::full);
  });
}
