// Roots that die, are overtaken or come together again, and the positions that they give out.
#include <doctest/doctest.h>

#include <algorithm>

#include "scribe/control.h"
#include "tests/scribe/world.h"

using namespace scribe;
using namespace scribe::test;

TEST_CASE("the root dies in mid-stream: the next closest node goes on in a new epoch") {
  for (const std::uint64_t seed : {31, 32, 33, 34}) {
    CAPTURE(seed);
    World world({.seed = seed, .nodes = 32, .replicated = seed % 2 == 0});
    const NodeIndex root = world.root_of("t");
    std::vector<Reader*> readers;
    NodeIndex publisher = root;
    for (const NodeIndex node : world.nodes) {
      if (node == root) continue;
      if (readers.size() < 10) readers.push_back(&world.subscribe(node, "t"));
      publisher = node;
    }
    world.simulator().run_for(seconds(3));
    Publishing publishing{world, publisher, "t", {}};
    publishing.run(100, milliseconds(10));
    const std::uint64_t epoch = readers.front()->position.epoch;
    world.simulator().crash(root);
    publishing.run(1000, milliseconds(10));
    world.simulator().run_for(seconds(20));
    CHECK(world.acknowledged == publishing.texts.size());
    check_all(readers, publishing.texts);
    world.check_tree("t");
    CHECK(readers.front()->position.epoch > epoch);
  }
}

TEST_CASE("a node that joins nearer to the group becomes root; the old one joins it") {
  World world({.seed = 41, .nodes = 24});
  std::vector<Reader*> readers;
  for (int i = 0; i < 8; ++i) readers.push_back(&world.subscribe(world.nodes[i], "t"));
  world.simulator().run_for(seconds(3));
  Publishing publishing{world, world.nodes[20], "t", {}};
  publishing.run(50, milliseconds(10));
  const Key key = world.scribe(world.nodes[0]).group("t");
  const NodeIndex nearest = world.simulator().add_node(key + Key(0, 1));
  world.nodes.push_back(nearest);
  world.simulator().join(nearest, world.nodes.front());
  publishing.run(600, milliseconds(10));
  world.simulator().run_for(seconds(10));
  CHECK(world.root_of("t") == nearest);
  CHECK(world.view(nearest, "t").root);
  world.check_tree("t");
  CHECK(world.acknowledged == publishing.texts.size());
  check_all(readers, publishing.texts);
}

TEST_CASE("who is no longer nearest when the registry answers does not begin as root") {
  World world({.seed = 43, .nodes = 24});
  const NodeIndex former = world.root_of("t");
  std::vector<NodeIndex> others = world.nodes;
  std::erase(others, former);
  world.registry.delay = seconds(10);
  Reader& reader = world.subscribe(others[0], "t");
  Publishing publishing{world, others[1], "t", {}};
  publishing.run(5, milliseconds(10));
  world.simulator().run_for(milliseconds(500));
  // The former root's claim is under way, and another is answered before it.
  world.registry.delay = milliseconds(30);
  const NodeIndex nearest = world.simulator().add_node(world.scribe(former).group("t") + Key(0, 1));
  world.nodes.push_back(nearest);
  world.simulator().join(nearest, former);
  world.simulator().run_for(seconds(20));
  CHECK(world.view(nearest, "t").root);
  CHECK(reader.attached_count == 1);
  CHECK(world.acknowledged == 5);
  publishing.texts.clear();
  publishing.run(20, milliseconds(10));
  world.simulator().run_for(seconds(5));
  check_all({&reader}, publishing.texts);
  world.check_tree("t");
}

TEST_CASE("what a root in between acknowledged before the subscribers came to it leaves a gap") {
  for (const bool replicated : {false, true}) {
    CAPTURE(replicated);
    World world({.seed = 45, .nodes = 24, .replicated = replicated});
    // Only slowly does a child notice that its parent is gone.
    world.settings.heartbeat_period = seconds(10);
    const NodeIndex first = world.root_of("t");
    const Key key = world.scribe(first).group("t");
    // Far from the root, so that the overlay does not tell it either.
    NodeIndex far = first;
    for (const NodeIndex node : world.nodes) {
      const pastry::NodeId& id = world.simulator().id(node);
      if (pastry::closer(key, world.simulator().id(far), id)) far = node;
    }
    Reader& reader = world.subscribe(far, "t");
    world.simulator().run_for(seconds(5));
    CHECK(reader.attached_count == 1);

    world.simulator().crash(first);
    world.simulator().run_for(seconds(10));
    NodeIndex publisher = world.nodes[0];
    if (publisher == first || publisher == world.root_of("t")) publisher = world.nodes[1];
    Publishing publishing{world, publisher, "t", {}};
    publishing.run(5, milliseconds(10));
    world.simulator().run_for(seconds(3));
    CHECK(world.acknowledged == 5);
    // The root that has these messages makes room for another before anybody came to it.
    const NodeIndex nearest = world.simulator().add_node(key + Key(0, 1));
    world.nodes.push_back(nearest);
    world.simulator().join(nearest, publisher);
    world.simulator().run_for(seconds(60));
    world.check_tree("t");
    CHECK(world.view(nearest, "t").children.size() == 1);
    CHECK(reader.texts.empty());
    publishing.texts.clear();
    publishing.run(5, milliseconds(10));
    world.simulator().run_for(seconds(5));
    CHECK(reader.texts == publishing.texts);
    CHECK(reader.gaps == 1);
  }
}

TEST_CASE("who comes late with messages that the root never had shows the others a gap") {
  World world({.seed = 46, .nodes = 24});
  const NodeIndex first = world.root_of("t");
  const Key key = world.scribe(first).group("t");
  std::vector<NodeIndex> others = world.nodes;
  std::erase(others, first);
  Reader& reader = world.subscribe(others[0], "t");
  world.simulator().run_for(seconds(3));
  Publishing publishing{world, others[1], "t", {}};
  publishing.run(5, milliseconds(10));
  world.simulator().run_for(seconds(1));
  // Between this root and the next there was another one.
  const std::uint64_t between = reader.position.epoch + 1;
  world.registry.records[key].position.epoch = between;
  world.simulator().crash(first);
  publishing.run(10, milliseconds(10));
  world.simulator().run_for(seconds(20));
  check_all({&reader}, publishing.texts);
  const NodeIndex root = world.root_of("t");
  REQUIRE(world.view(root, "t").root);
  REQUIRE(reader.position.epoch > between);

  const NodeIndex stranger = others[2] == root ? others[3] : others[2];
  pastry::Delivery message;
  message.key = key;
  message.source = message.previous = world.simulator().handle(stranger);
  message.payload = Payload(encode_control(Join{key, "t", 1, true, Position{between, 7}}));
  world.run(root, [&](Context context) { world.scribe(root).deliver(context, message); });
  world.simulator().run_for(seconds(1));
  Reader& later = world.subscribe(others[4], "t");
  world.simulator().run_for(seconds(3));
  publishing.run(5, milliseconds(10));
  world.simulator().run_for(seconds(2));
  CHECK(reader.texts == publishing.texts);
  CHECK(reader.gaps == 1);
  CHECK(later.texts.size() == 5);
  CHECK(later.gaps == 0);
}

TEST_CASE("after a partition in which both sides gave out messages nothing more is lost silently") {
  World world({.seed = 42, .nodes = 24});
  const NodeIndex root = world.root_of("t");
  std::vector<Reader*> readers;
  for (const NodeIndex node : world.nodes) readers.push_back(&world.subscribe(node, "t"));
  world.simulator().run_for(seconds(3));
  // The other side claims the epoch after the root's, and gets further.
  world.registry.records.clear();
  NodeIndex publisher = root;
  for (std::size_t i = 0; i < world.nodes.size(); i += 2) {
    if (world.nodes[i] == root) continue;
    publisher = world.nodes[i];
    world.simulator().network().set_side(publisher, 1);
  }
  world.simulator().run_for(seconds(30));
  Publishing there{world, root, "t", {}};
  there.run(20, milliseconds(10));
  Publishing publishing{world, publisher, "t", {}};
  publishing.run(300, milliseconds(10));
  world.simulator().run_for(seconds(5));
  CHECK(world.acknowledged == 320);

  world.simulator().network().heal_partition();
  world.simulator().run_for(seconds(60));
  publishing.texts.clear();
  publishing.run(50, milliseconds(10));
  world.simulator().run_for(seconds(10));
  world.check_tree("t");
  for (const Reader* reader : readers) {
    REQUIRE(reader->texts.size() >= publishing.texts.size());
    CHECK(std::equal(publishing.texts.begin(), publishing.texts.end(),
                     reader->texts.end() - publishing.texts.size()));
    CHECK(reader->duplicates == 0);
    CHECK(reader->disorder == 0);
    CHECK(reader->gaps >= 1);
  }
}

TEST_CASE("sides of a partition show each other gaps though the last root gave out nothing") {
  for (const bool next_root_reads : {true, false}) {
    CAPTURE(next_root_reads);
    World world({.seed = 47, .nodes = 24});
    const Key key = world.scribe(world.nodes[0]).group("t");
    std::vector<NodeIndex> near = world.nodes;
    std::sort(near.begin(), near.end(), [&](NodeIndex a, NodeIndex b) {
      return pastry::closer(key, world.simulator().id(a), world.simulator().id(b));
    });
    std::vector<Reader*> readers;
    for (std::size_t i = next_root_reads ? 1 : 2; i < near.size(); ++i) {
      readers.push_back(&world.subscribe(near[i], "t"));
    }
    world.simulator().run_for(seconds(3));
    // The two nearest nodes are on one side, which will have the older epochs.
    Position& record = world.registry.records[key].position;
    record.epoch = 50;
    for (std::size_t i = 2; i < near.size(); i += 2) {
      world.simulator().network().set_side(near[i], 1);
    }
    world.simulator().run_for(seconds(30));
    CHECK(record.epoch == 51);
    record.epoch = 10;
    Publishing here{world, near[5], "t", {}};
    here.run(5, milliseconds(10));
    world.simulator().run_for(seconds(3));
    world.simulator().crash(near[0]);
    world.simulator().run_for(seconds(30));
    CHECK(record.epoch == 11);
    CHECK(world.view(near[1], "t").root);
    Publishing there{world, near[4], "t", {}};
    there.run(5, milliseconds(10));
    world.simulator().run_for(seconds(3));
    CHECK(world.acknowledged == 10);
    for (const Reader* reader : readers) {
      CHECK(reader->texts.size() == 5);
      CHECK(reader->gaps == 0);
    }

    world.simulator().network().heal_partition();
    world.simulator().run_for(seconds(60));
    world.check_tree("t");
    here.texts.clear();
    here.run(5, milliseconds(10));
    world.simulator().run_for(seconds(5));
    for (const Reader* reader : readers) {
      CHECK(reader->gaps >= 1);
      CHECK(reader->disorder == 0);
      CHECK(reader->duplicates == 0);
      CHECK(std::equal(here.texts.begin(), here.texts.end(), reader->texts.end() - 5));
    }
  }
}

TEST_CASE("a rewind for a child gives a subscriber nothing from below its position") {
  World world({.seed = 44, .nodes = 24});
  const NodeIndex root = world.root_of("t");
  // Not in the tree; a join in its name comes later.
  const NodeIndex stranger = world.nodes[0] == root ? world.nodes[1] : world.nodes[0];
  std::vector<NodeIndex> others;
  for (const NodeIndex node : world.nodes) {
    if (node != root && node != stranger) others.push_back(node);
  }
  world.subscribe(others[0], "t");
  world.simulator().run_for(seconds(3));
  Publishing early{world, others[0], "t", {}};
  early.run(10, milliseconds(10));
  world.simulator().run_for(seconds(1));
  std::vector<Reader*> readers;
  for (const NodeIndex node : others) readers.push_back(&world.subscribe(node, "t"));
  world.simulator().run_for(seconds(3));

  // Each side gives out messages, the other one in the newer epoch.
  std::size_t far = 1;
  for (std::size_t i = far; i < others.size(); i += 2) {
    world.simulator().network().set_side(others[i], 1);
  }
  world.simulator().run_for(seconds(30));
  Publishing here{world, others[0], "t", {}};
  Publishing there{world, others[far], "t", {}};
  here.run(20, milliseconds(10));
  there.run(20, milliseconds(10));
  world.simulator().run_for(seconds(5));
  world.simulator().network().heal_partition();
  world.simulator().run_for(seconds(20));
  world.check_tree("t");

  // Somebody who is still at the third message joins a node that came from the other side.
  while (far < others.size() && world.view(others[far], "t").root) far += 2;
  REQUIRE(readers[far]->texts.back() == there.texts.back());
  const std::uint64_t received = world.view(others[far], "t").received;
  const Position oldest{1, 3};
  pastry::ForwardedMessage message;
  message.key = world.scribe(root).group("t");
  message.source = message.previous = world.simulator().handle(stranger);
  message.next_hop = world.simulator().handle(root);
  message.payload = Payload(encode_control(Join{message.key, "t", 1, true, oldest}));
  world.run(others[far],
            [&](Context context) { world.scribe(others[far]).forward(context, message); });
  world.simulator().run_for(seconds(5));
  CHECK(world.view(others[far], "t").received > received);
  here.run(10, milliseconds(10));
  world.simulator().run_for(seconds(10));
  for (const Reader* reader : readers) {
    CHECK(reader->disorder == 0);
    CHECK(reader->duplicates == 0);
    CHECK(reader->texts.back() == here.texts.back());
  }
  CHECK(readers[far]->gaps == 1);
}

TEST_CASE("a root learns where the subscribers of a child stand that has rewound") {
  for (const int before : {0, 3}) {
    CAPTURE(before);
    World world({.seed = 45, .nodes = 24});
    // Only slowly does a child notice that its parent is gone.
    world.settings.heartbeat_period = seconds(10);
    const NodeIndex first = world.root_of("t");
    const Key key = world.scribe(first).group("t");
    NodeIndex far = first;
    for (const NodeIndex node : world.nodes) {
      const pastry::NodeId& id = world.simulator().id(node);
      if (pastry::closer(key, world.simulator().id(far), id)) far = node;
    }
    world.registry.records[key].position.epoch = 50;
    Reader& reader = world.subscribe(far, "t");
    world.simulator().run_for(seconds(5));
    CHECK(reader.attached_count == 1);
    std::vector<NodeIndex> others = world.nodes;
    std::erase_if(others, [&](NodeIndex node) { return node == first || node == far; });
    Publishing early{world, others[0], "t", {}};
    early.run(before, milliseconds(10));
    world.simulator().run_for(seconds(3));
    CHECK(reader.texts == early.texts);

    // The next root, of which the subscriber's node does not know yet, begins below.
    world.simulator().crash(first);
    world.registry.records[key].position.epoch = 10;
    world.simulator().run_for(seconds(10));
    Publishing publishing{world, others[1], "t", {}};
    publishing.run(2, milliseconds(10));
    world.simulator().run_for(seconds(3));
    CHECK(world.registry.records[key].position.epoch == 11);
    CHECK(reader.texts == early.texts);
    // For a child that lacks more that node looks for the root and asks for what it lacks.
    const NodeIndex stranger = others[2] == world.root_of("t") ? others[3] : others[2];
    pastry::ForwardedMessage message;
    message.key = key;
    message.source = message.previous = world.simulator().handle(stranger);
    message.next_hop = world.simulator().handle(world.root_of("t"));
    message.payload = Payload(encode_control(Join{key, "t", 1, true, Position{5, 3}}));
    world.run(far, [&](Context context) { world.scribe(far).forward(context, message); });
    world.simulator().run_for(seconds(25));
    world.check_tree("t");

    publishing.texts.clear();
    publishing.run(5, milliseconds(10));
    world.simulator().run_for(seconds(5));
    REQUIRE(reader.texts.size() == early.texts.size() + 5);
    CHECK(std::equal(publishing.texts.begin(), publishing.texts.end(), reader.texts.end() - 5));
    CHECK(reader.duplicates == 0);
    CHECK(reader.disorder == 0);
    // For the two that the root had given out without it.
    CHECK(reader.gaps == 1);
  }
}
