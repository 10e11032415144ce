// CorrectDelivery while nodes join: every key has one root at any time (protocol reference §1).
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

// The closest active node.
Handle active_root(Ring& ring, const Key& key) {
  Handle best = kNoHandle;
  for (const Handle peer : ring.live()) {
    if (!ring.node(peer).active()) continue;
    if (best == kNoHandle || closer(key, ring.directory().id(peer), ring.directory().id(best))) {
      best = peer;
    }
  }
  return best;
}

// No two active nodes may both believe to be the root of a key: asked for keys around every node.
int doubly_owned(Ring& ring) {
  int wrong = 0;
  const auto live = ring.live();
  for (const Handle node : live) {
    for (const Id& key : {ring.directory().id(node), ring.directory().id(node) + Id(0, 1),
                          ring.directory().id(node) - Id(0, 1), ring.random().id()}) {
      int owners = 0;
      for (const Handle peer : live) {
        if (!ring.node(peer).active()) continue;
        const NextHop next = next_hop(ring.directory(), ring.node(peer).tables(), key);
        if (next.rule == RoutingRule::deliver) {
          ++owners;
          if (peer != active_root(ring, key)) ++wrong;
        }
      }
      if (owners > 1) ++wrong;
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("joins into one gap never give a key two roots") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Ring ring(small_config(), seed);
    const int standing = 1 + static_cast<int>(ring.random().below(12));
    const Handle first = ring.add(Id(0x8000000000000000ULL, 0));
    ring.found(first);
    for (int i = 1; i < standing; ++i) ring.join(ring.add(), {first});
    ring.run(seconds(3));
    REQUIRE(ring.wrong_neighbours() == 0);
    // All in a small arc next to the first node, so that they meet in one gap.
    const int joiners = 2 + static_cast<int>(ring.random().below(15));
    for (int i = 0; i < joiners; ++i) {
      const Handle joiner = ring.add(Id(0x8000000000000000ULL, ring.random().next()));
      ring.join(joiner,
                {ring.live()[ring.random().below(static_cast<std::uint64_t>(standing))], first});
    }
    for (int tick = 0; tick < 60; ++tick) {
      ring.run(milliseconds(1));
      REQUIRE(doubly_owned(ring) == 0);
    }
    ring.run(seconds(3));
    CHECK(ring.wrong_neighbours() == 0);
  }
}

TEST_CASE("joins with loss never give a key two roots and end in one ring") {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    CAPTURE(seed);
    Ring ring(small_config(), seed);
    ring.loss = 30;
    const Handle first = ring.add();
    ring.found(first);
    for (int i = 1; i < 25; ++i) {
      ring.join(ring.add(), {first});
      if (ring.random().below(3) == 0) ring.run(milliseconds(ring.random().below(50)));
    }
    for (int tick = 0; tick < 100; ++tick) {
      ring.run(milliseconds(10));
      CHECK(doubly_owned(ring) == 0);
    }
    ring.run(seconds(30));
    CHECK(ring.wrong_neighbours() == 0);
  }
}

TEST_CASE("joiners and owners that crash in the middle of a batch do not block the gap") {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    CAPTURE(seed);
    Ring ring(small_config(), seed);
    const Handle first = ring.add();
    ring.found(first);
    for (int i = 1; i < 6; ++i) ring.join(ring.add(), {first});
    ring.run(seconds(3));
    REQUIRE(ring.wrong_neighbours() == 0);
    const auto standing = ring.live();
    std::vector<Handle> joiners;
    for (int i = 0; i < 10; ++i) {
      joiners.push_back(ring.add());
      ring.join(joiners.back(), {standing[0], standing[1], standing[2]});
    }
    ring.run(milliseconds(1 + ring.random().below(12)));
    ring.crash(standing[3 + ring.random().below(3)]);
    ring.crash(joiners[ring.random().below(joiners.size())]);
    ring.run(seconds(40));
    CHECK(ring.wrong_neighbours() == 0);
  }
}
