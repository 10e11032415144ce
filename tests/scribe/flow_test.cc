// The stream under loss, back-pressure and churn [SCRIBE §3.5], and random schedules against what a
// dumb model demands.
#include <doctest/doctest.h>

#include <algorithm>

#include "pastry/core/random.h"
#include "tests/scribe/world.h"

using namespace scribe;
using namespace scribe::test;

namespace {

std::string numbered(int number) { return "message " + std::to_string(number); }

std::vector<std::string> numbered_up_to(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(numbered(i));
  return texts;
}

// Publishes `count` messages as fast as the window allows; true if all were acknowledged.
bool publish_all(World& world, NodeIndex node, const std::string& topic, int count,
                 pastry::Duration limit) {
  int next = 0;
  const pastry::Time end = world.simulator().now() + limit;
  while (world.simulator().now() < end) {
    while (next < count && world.publish(node, topic, numbered(next))) ++next;
    world.simulator().run_for(milliseconds(5));
    if (world.acknowledged == static_cast<std::uint64_t>(count)) return true;
  }
  return false;
}

void check_complete(const Reader& reader, const std::vector<std::string>& texts) {
  CHECK(reader.texts.size() == texts.size());
  CHECK(reader.texts == texts);
  CHECK(reader.duplicates == 0);
  CHECK(reader.disorder == 0);
  CHECK(reader.gaps == 0);
}

std::size_t largest_buffer(World& world, const std::string& topic) {
  std::size_t bytes = 0;
  for (const NodeIndex node : world.running()) {
    bytes = std::max(bytes, world.view(node, topic).buffered_bytes);
  }
  return bytes;
}

}  // namespace

TEST_CASE("10,000 messages to 20 subscribers as fast as credit allows") {
  World world({.seed = 101, .nodes = 32});
  std::vector<Reader*> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(&world.subscribe(world.nodes[i], "t"));
  world.simulator().run_for(seconds(3));
  CHECK(publish_all(world, world.nodes[25], "t", 10000, seconds(60)));
  world.simulator().run_for(seconds(2));
  for (const Reader* reader : readers) check_complete(*reader, numbered_up_to(10000));
}

TEST_CASE("lost messages are repeated: 1 % and 5 %") {
  for (const double loss : {0.01, 0.05}) {
    CAPTURE(loss);
    World world({.seed = 102, .nodes = 24});
    std::vector<Reader*> readers;
    for (int i = 0; i < 10; ++i) readers.push_back(&world.subscribe(world.nodes[i], "t"));
    world.simulator().run_for(seconds(3));
    world.simulator().network().set_loss(loss);
    CHECK(publish_all(world, world.nodes[20], "t", 2000, seconds(120)));
    world.simulator().run_for(seconds(10));
    world.simulator().network().set_loss(0);
    world.simulator().run_for(seconds(10));
    for (const Reader* reader : readers) check_complete(*reader, numbered_up_to(2000));
    world.check_tree("t");
  }
}

TEST_CASE("a slow subscriber slows the publisher; memory stays bounded; nothing is dropped") {
  World world({.seed = 103, .nodes = 24});
  std::vector<Reader*> readers;
  for (int i = 0; i < 8; ++i) readers.push_back(&world.subscribe(world.nodes[i], "t", 16));
  Reader& slow = *readers[3];
  slow.auto_consume = false;
  world.simulator().run_for(seconds(3));
  int next = 0;
  int refused = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 100; ++i) {
      if (world.publish(world.nodes[20], "t", numbered(next))) {
        ++next;
      } else {
        ++refused;
      }
    }
    world.run(world.nodes[3], [&](Context context) {
      world.scribe(world.nodes[3]).consumed(context, slow.subscription, 20);
    });
    world.simulator().run_for(milliseconds(50));
  }
  CHECK(refused > 1000);
  CHECK(largest_buffer(world, "t") <=
        world.settings.history_bytes + 2 * world.settings.window_bytes);
  CHECK(slow.texts.size() < 4100);
  // All the others are at most the windows on the way ahead of the slow one.
  for (const Reader* reader : readers) CHECK(reader->texts.size() < slow.texts.size() + 6 * 1100);
  slow.auto_consume = true;
  world.run(world.nodes[3], [&](Context context) {
    world.scribe(world.nodes[3]).consumed(context, slow.subscription, 100000);
  });
  world.simulator().run_for(seconds(10));
  CHECK(world.acknowledged == static_cast<std::uint64_t>(next));
  for (const Reader* reader : readers) check_complete(*reader, numbered_up_to(next));
}

TEST_CASE("a subscriber that takes nothing for long gets a gap instead of stopping everybody") {
  World world({.seed = 104, .nodes = 16});
  world.settings.stall_limit = seconds(8);
  Reader& good = world.subscribe(world.nodes[1], "t");
  Reader& stuck = world.subscribe(world.nodes[2], "t", 10);
  stuck.auto_consume = false;
  world.simulator().run_for(seconds(3));
  CHECK(publish_all(world, world.nodes[5], "t", 5000, seconds(100)));
  check_complete(good, numbered_up_to(5000));
  CHECK(stuck.texts.size() == 10);
  CHECK(stuck.gaps > 0);
}

TEST_CASE("two publishers at once: each one's order is kept, all subscribers see one order") {
  World world({.seed = 105, .nodes = 24});
  std::vector<Reader*> readers;
  for (int i = 0; i < 6; ++i) readers.push_back(&world.subscribe(world.nodes[i], "t"));
  world.simulator().run_for(seconds(3));
  for (int i = 0; i < 300; ++i) {
    world.publish(world.nodes[10], "t", "a" + std::to_string(i));
    world.publish(world.nodes[11], "t", "b" + std::to_string(i));
    world.simulator().run_for(milliseconds(1));
  }
  world.simulator().run_for(seconds(2));
  for (const Reader* reader : readers) {
    CHECK(reader->texts == readers.front()->texts);
    check_complete(*reader, reader->texts);
    CHECK(reader->texts.size() == 600);
  }
}

TEST_CASE("messages of the largest size, empty ones, and one that is too large") {
  World world({.seed = 106, .nodes = 12});
  Reader& reader = world.subscribe(world.nodes[1], "t");
  world.simulator().run_for(seconds(3));
  const std::vector<std::string> texts = {
      "", std::string(kMessageMax, 'x'), "", "y", std::string(40000, 'z'), std::string(40000, 'w')};
  for (const std::string& text : texts) CHECK(world.publish(world.nodes[4], "t", text));
  CHECK_FALSE(world.publish(world.nodes[4], "t", std::string(kMessageMax + 1, 'x')));
  world.simulator().run_for(seconds(3));
  check_complete(reader, texts);
}

// Random joins, leaves, crashes, restarts and publishes. The model: what was acknowledged must be
// at every subscriber that was attached before it was published and stayed, unless it was told of a
// gap; never twice, never out of a publisher's order; trees are whole and without circles at the
// end.
TEST_CASE("random schedules") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    pastry::Random random(seed * 7919);
    World world({.seed = 1000 + seed, .nodes = 20, .replicated = seed % 4 == 0});
    const std::string topic = "t";
    const bool lossy = random.below(2) == 0;
    const bool crashes = random.below(3) != 0;
    if (lossy) world.simulator().network().set_loss(0.02);
    std::map<NodeIndex, std::vector<Reader*>> subscribed;
    // The publisher and the founder stay up.
    const NodeIndex publisher = world.nodes[1];
    Reader& faithful = world.subscribe(publisher, topic);
    world.simulator().run_for(seconds(5));
    int published = 0;
    for (int step = 0; step < 120; ++step) {
      const NodeIndex node = world.nodes[2 + random.below(world.nodes.size() - 2)];
      const auto choice = random.below(100);
      auto& here = subscribed[node];
      if (choice < 25 && world.simulator().running(node) && here.size() < 2) {
        here.push_back(&world.subscribe(node, topic));
      } else if (choice < 40 && world.simulator().running(node) && !here.empty()) {
        world.unsubscribe(node, *here.back());
        here.pop_back();
      } else if (choice < 44 && crashes && world.simulator().running(node)) {
        world.simulator().crash(node);
        here.clear();
      } else if (choice < 55 && !world.simulator().running(node)) {
        world.simulator().restart(node, std::vector<NodeIndex>{world.nodes.front()});
      }
      for (int i = 0; i < 20; ++i) {
        if (world.publish(publisher, topic, numbered(published))) ++published;
      }
      world.simulator().run_for(milliseconds(100 + random.below(400)));
    }
    world.simulator().network().set_loss(0);
    world.simulator().run_for(seconds(40));
    CHECK(world.publish(publisher, topic, numbered(published)));
    ++published;
    world.simulator().run_for(seconds(2));
    CHECK(world.acknowledged == static_cast<std::uint64_t>(published));
    CHECK(world.failed == 0);
    for (const auto& reader : world.readers) {
      CHECK(reader->duplicates == 0);
      CHECK(reader->disorder == 0);
      if (reader->gaps == 0) CHECK(reader->holes == 0);
    }
    if (!crashes) {
      // Nothing is dropped while nobody dies.
      for (const auto& reader : world.readers) CHECK(reader->gaps == 0);
      CHECK(faithful.texts == numbered_up_to(published));
    }
    CHECK(faithful.texts.size() + faithful.missing >= static_cast<std::size_t>(published));
    for (auto& [node, here] : subscribed) {
      if (!world.simulator().running(node)) continue;
      for (const Reader* reader : here) {
        CHECK(reader->attached_count == 1);
        REQUIRE_FALSE(reader->texts.empty());
        CHECK(reader->texts.back() == numbered(published - 1));
      }
    }
    world.check_tree(topic);
  }
}
