// The node as a whole, on bare nodes: joins, routing, failures, restarts.
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

// Looks up `count` random keys from random nodes and returns how many did not reach the right root.
int wrong_lookups(Ring& ring, int count) {
  RouteOptions options;
  options.wants_outcome = true;
  std::map<OperationId, Key> asked;
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    const auto live = ring.live();
    const Handle from = live[ring.random().below(live.size())];
    const Key key = ring.random().id();
    ring.outcomes.clear();
    const OperationId id = ring.route(from, key, options);
    ring.run(seconds(2));  // a dead entry of a table costs a retransmission
    const auto found = ring.outcomes.find(id);
    if (found == ring.outcomes.end() || found->second.root != ring.root(key)) ++wrong;
  }
  return wrong;
}

}  // namespace

TEST_CASE("a founder is active at once, alone, and delivers everything") {
  Ring ring(small_config());
  const Handle a = ring.add();
  ring.found(a);
  CHECK(ring.node(a).active());
  CHECK(ring.node(a).alone());
  CHECK(wrong_lookups(ring, 5) == 0);
}

TEST_CASE("nodes that join one after another form the sorted ring") {
  Ring ring(small_config());
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 40; ++i) {
    const Handle node = ring.add();
    ring.join(node, {first});
    ring.run(milliseconds(100));
    CAPTURE(i);
    REQUIRE(ring.node(node).active());
  }
  CHECK(ring.wrong_neighbours() == 0);
  CHECK(wrong_lookups(ring, 100) == 0);
}

TEST_CASE("nodes that all start together form one ring") {
  Ring ring(small_config());
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 100; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(2));
  CHECK(ring.wrong_neighbours() == 0);
  MESSAGE("messages: ", ring.messages);
  CHECK(wrong_lookups(ring, 100) == 0);
}

TEST_CASE("crashed nodes are noticed and their keys taken over") {
  Ring ring(small_config());
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 40; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(2));
  REQUIRE(ring.wrong_neighbours() == 0);
  for (int i = 0; i < 5; ++i) {
    const auto live = ring.live();
    ring.crash(live[ring.random().below(live.size())]);
  }
  ring.run(seconds(6));
  CHECK(ring.wrong_neighbours() == 0);
  CHECK(wrong_lookups(ring, 100) == 0);
}

TEST_CASE("a leaf that a neighbour's leaf set should hold and lacks is probed") {
  Ring ring(small_config());
  const auto nodes = pastry::test::grow(ring, 24);
  Node& node = ring.node(nodes[10]);
  LeafProbe exchange;
  exchange.active = true;
  exchange.token = 77;
  // Of the node's leaves 6 … 14 it reaches over 8 … 14.
  exchange.leaf_set = ring.node(nodes[12]).tables().leaf_set.members();
  REQUIRE(std::erase(exchange.leaf_set, nodes[9]) == 1);
  const auto probed = [&](const LeafProbe& received) {
    Outbox out;
    node.receive(ring.clock(nodes[10]), nodes[12], LeafProbe(received), out);
    node.flush(ring.clock(nodes[10]), out);
    std::vector<Handle> peers;
    for (const Send& send : out.sends) {
      const auto* probe = std::get_if<LeafProbe>(&send.message);
      if (probe != nullptr && !probe->reply) peers.push_back(send.to);
    }
    return peers;
  };
  LeafProbe news = exchange;  // unasked: those to whom it was sent may not be known there yet
  news.reply = true;
  news.token = 0;
  CHECK(probed(news).empty());
  CHECK(probed(exchange) == std::vector<Handle>{nodes[9]});
}

TEST_CASE("a restarted node comes back at once under a higher incarnation") {
  Ring ring(small_config());
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 20; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(2));
  const Handle victim = ring.live()[7];
  const Handle seed = ring.live()[3];
  ring.crash(victim);
  const Handle reborn = ring.add(ring.directory().id(victim), 2);
  ring.join(reborn, {seed}, true);
  ring.run(milliseconds(500));
  CHECK(ring.node(reborn).active());
  CHECK(ring.wrong_neighbours() == 0);
  CHECK(wrong_lookups(ring, 50) == 0);
}

TEST_CASE("a graceful leave is acted on without a timeout") {
  Ring ring(small_config());
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 20; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(2));
  ring.leave(ring.live()[5]);
  ring.run(milliseconds(20));
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("rings of one, two and three nodes survive a crash of one and of all") {
  for (int size = 1; size <= 3; ++size) {
    CAPTURE(size);
    Ring ring(small_config(), 77 + size);
    const Handle first = ring.add();
    ring.found(first);
    for (int i = 1; i < size; ++i) ring.join(ring.add(), {first});
    ring.run(seconds(2));
    REQUIRE(ring.wrong_neighbours() == 0);
    if (size > 1) {
      const Handle victim = ring.live()[0];
      const Handle other = ring.live()[1];
      ring.crash(victim);
      ring.run(seconds(6));
      CHECK(ring.wrong_neighbours() == 0);
      ring.join(ring.add(ring.directory().id(victim), 2), {other}, true);
      ring.run(seconds(2));
      CHECK(ring.wrong_neighbours() == 0);
    }
    const auto before = ring.live();
    for (const Handle handle : before) ring.crash(handle);
    ring.run(seconds(1));
    std::vector<Handle> reborn;
    for (const Handle handle : before) {
      reborn.push_back(ring.add(ring.directory().id(handle), 3));
    }
    for (const Handle handle : reborn) {
      std::vector<Handle> seeds;
      for (const Handle other : reborn) {
        if (other != handle) seeds.push_back(other);
      }
      ring.join(handle, seeds, true);
    }
    ring.run(seconds(15));
    CHECK(ring.wrong_neighbours() == 0);
    CHECK(wrong_lookups(ring, 10) == 0);
  }
}

TEST_CASE("lookups succeed while two of a hundred messages are lost") {
  Ring ring(small_config());
  const Handle first = ring.add();
  ring.found(first);
  ring.loss = 20;
  for (int i = 1; i < 30; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(20));
  CHECK(ring.wrong_neighbours() == 0);
  ring.loss = 0;
  CHECK(wrong_lookups(ring, 50) == 0);
}
