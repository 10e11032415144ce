// Members that lie about positions: a topic goes on, and who was lied to comes back.
#include <doctest/doctest.h>

#include <algorithm>

#include "scribe/control.h"
#include "scribe/frames.h"
#include "tests/scribe/world.h"

using namespace scribe;
using namespace scribe::test;

namespace {

constexpr std::uint64_t kTop = kNumberMax - 1;

// A topic with some readers, and a node outside its tree that says what the test wants.
struct Lied {
  explicit Lied(std::uint64_t seed, bool replicated = false)
      : world({.seed = seed, .nodes = 16, .replicated = replicated}) {
    root = world.root_of("t");
    group = world.scribe(root).group("t");
    for (const NodeIndex node : world.nodes) {
      if (node != root) others.push_back(node);
    }
    liar = others.back();
    publishing.node = others[0];
    for (int i = 0; i < 5; ++i) readers.push_back(&world.subscribe(others[i], "t"));
    world.simulator().run_for(seconds(3));
    publish(5);
    check_all(readers, publishing.texts);
  }

  void publish(int count) {
    publishing.run(count, milliseconds(10));
    world.simulator().run_for(seconds(3));
  }
  // What comes now arrives everywhere.
  void check_alive() {
    publish(5);
    const auto& texts = publishing.texts;
    for (const Reader* reader : readers) {
      REQUIRE(reader->texts.size() >= 5);
      CHECK(std::equal(texts.end() - 5, texts.end(), reader->texts.end() - 5));
      CHECK(reader->duplicates == 0);
    }
    CHECK(world.acknowledged == texts.size());
  }
  void join(const Position& position) {
    pastry::Delivery message;
    message.key = group;
    message.source = message.previous = world.simulator().handle(liar);
    message.payload = Payload(encode_control(Join{group, "t", ++joins, true, position}));
    world.run(root, [&](Context context) { world.scribe(root).deliver(context, message); });
  }
  void send(NodeIndex from, NodeIndex to, const Payload& payload) {
    pastry::Incoming message;
    message.from = world.simulator().handle(from);
    message.payload = payload;
    world.run(to, [&](Context context) { world.scribe(to).receive(context, message); });
  }
  // As a child that it is only for a moment: its own node knows nothing of the topic.
  void acknowledge(const Position& highest) { acknowledge(world.view(root, "t").head, highest); }
  void acknowledge(const Position& joined_at, const Position& highest) {
    join(joined_at);
    Ack ack;
    ack.group = group;
    ack.highest = highest;
    ack.window_messages = ack.window_bytes = 1U << 20;
    send(liar, root, encode_acks({&ack, 1}));
  }
  // A forged segment from the node's parent.
  void forge(NodeIndex node, const Position& position) {
    const Payload message = Payload::copy_of("forged");
    const Payload frame = encode_publish(Publish{group, 1, 1, 0, "", {}}, {&message, 1});
    const Publish publish = *decode_publish(frame.view());
    const Segment segment =
        make_segment(publish, frame.view(), 0, world.simulator().id(liar), position, {});
    send(world.node_of(world.view(node, "t").parent), node, segment.frame);
    world.simulator().run_for(milliseconds(50));
    CHECK(world.view(node, "t").head == position);
  }

  World world;
  NodeIndex root = pastry::sim::kNoNode;
  NodeIndex liar = pastry::sim::kNoNode;
  std::vector<NodeIndex> others;
  Key group;
  std::vector<Reader*> readers;
  Publishing publishing{world, pastry::sim::kNoNode, "t", {}};
  std::uint32_t joins = 0;
};

}  // namespace

TEST_CASE("a join or an acknowledgement from far above does not stop a topic") {
  for (const bool replicated : {false, true}) {
    CAPTURE(replicated);
    Lied lied(91, replicated);
    const std::uint64_t present = lied.readers[0]->position.epoch;
    for (const Position& position : {Position{kTop, kTop}, Position{present + 1, kTop},
                                     Position{kTop, 1}, Position{kClaimMax - 1, 1}}) {
      lied.join(position);
      lied.acknowledge(position);
      lied.check_alive();
    }
    check_all(lied.readers, lied.publishing.texts);
    // What is believed leaves room, too.
    const Position most{(kClockMax + kCountsAhead) << kEpochLotBits, kOffsetsFree + kOffsetsAhead};
    lied.join(most);
    lied.check_alive();
    lied.acknowledge({kTop, kTop});
    lied.check_alive();
    CHECK(lied.readers[0]->position > most);
    CHECK(lied.readers[0]->position.epoch < 2 * most.epoch);
    lied.world.check_tree("t");
    lied.world.simulator().crash(lied.root);
    lied.world.simulator().run_for(seconds(20));
    lied.check_alive();
  }
}

TEST_CASE("who claims more and more does not keep the root claiming") {
  Lied lied(92);
  World& world = lied.world;
  const std::uint64_t before = world.registry.claims;
  for (int i = 0; i < 1000; ++i) {
    const Position head = world.view(lied.root, "t").head;
    lied.acknowledge({head.epoch + 1, head.offset});
    if (i % 100 == 0) lied.publishing.run(1, milliseconds(0));
    world.simulator().run_for(milliseconds(10));
  }
  CHECK(world.registry.claims - before > 2);
  // One each heartbeat, of half a second.
  CHECK(world.registry.claims - before <= 21);
  world.simulator().run_for(seconds(3));
  lied.check_alive();
}

TEST_CASE(
    "who claims to have more and more of earlier roots does not bring a gap with each message") {
  Lied lied(95);
  World& world = lied.world;
  lied.join({10'000, 0});
  lied.publish(5);
  const std::uint64_t before = lied.readers[0]->gaps;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    lied.acknowledge({1, 1}, {2 + i, 1});
    if (i % 10 == 0) lied.publishing.run(1, milliseconds(0));
    world.simulator().run_for(milliseconds(10));
  }
  CHECK(lied.readers[0]->gaps - before > 2);
  CHECK(lied.readers[0]->gaps - before <= 21);
  world.simulator().run_for(seconds(3));
  lied.check_alive();
}

TEST_CASE("who was given a position that cannot be begins anew, with a gap") {
  Lied lied(93);
  World& world = lied.world;
  NodeIndex victim = lied.others[0];
  lied.forge(victim, {kTop, kTop});
  world.simulator().run_for(seconds(1));
  const NodeIndex parent = world.node_of(world.view(victim, "t").parent);
  lied.send(parent, victim, encode_control(Detach{lied.group}));
  world.simulator().run_for(seconds(10));
  lied.check_alive();
  CHECK(lied.readers[0]->gaps >= 1);
  world.check_tree("t");
}

TEST_CASE("who was given a position that cannot be becomes root") {
  for (const bool replicated : {false, true}) {
    CAPTURE(replicated);
    Lied lied(94, replicated);
    World& world = lied.world;
    // The next root, once it is in the tree.
    NodeIndex next = lied.others[0];
    for (const NodeIndex node : lied.others) {
      if (pastry::closer(lied.group, world.simulator().id(node), world.simulator().id(next))) {
        next = node;
      }
    }
    lied.readers.push_back(&world.subscribe(next, "t"));
    world.simulator().run_for(seconds(3));
    lied.publish(5);
    lied.forge(next, {kTop, kTop});
    world.simulator().crash(lied.root);
    world.simulator().run_for(seconds(20));
    CHECK(world.view(next, "t").root);
    lied.check_alive();
    world.check_tree("t");
  }
}
