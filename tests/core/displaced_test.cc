// Who was held for dead and is back, where not everybody hears that: it acts when nobody else can.
#include <doctest/doctest.h>

#include "tests/core/roots.h"

using namespace pastry;
using pastry::test::grow;
using pastry::test::keys_around;
using pastry::test::most_roots;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

constexpr Duration kStep = milliseconds(20);

Config long_leases() {
  Config config = small_config();
  config.lease = seconds(20);  // much longer than it takes to find somebody dead
  return config;
}

bool relayed(const Send& send) { return std::holds_alternative<Relay>(send.message); }

bool between(Handle from, const Send& send, Handle one, Handle other) {
  return (from == one && send.to == other) || (from == other && send.to == one);
}

}  // namespace

TEST_CASE("who is back beside one that was guarded until now waits for it") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const Config config = long_leases();
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 8);
    const std::vector<Key> keys = keys_around(ring, nodes);
    const Handle cut = nodes[3];
    const Handle back = nodes[4];
    const Handle next = nodes[5];
    const auto lists_cut = [&](Handle peer) {
      return ring.node(peer).tables().leaf_set.contains(cut);
    };
    ring.stop(back);
    ring.run(4 * config.lease + milliseconds(700 * seed));
    bool heals = false;  // to one side
    ring.drop = [&](Handle from, const Send& send) {
      const bool hit = from == cut || send.to == cut;
      return relayed(send) || (hit && !(heals && between(from, send, cut, next)));
    };
    while (lists_cut(next)) ring.run(kStep);
    ring.resume(back);
    while (lists_cut(nodes[2])) ring.run(kStep);
    heals = true;
    CHECK(most_roots(ring, 2 * config.lease, keys, kStep) <= 1);
  }
}

TEST_CASE("what a neighbour granted to others while this node waited for the other one counts") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const Config config = long_leases();
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 8);
    const std::vector<Key> keys = keys_around(ring, nodes);
    const Handle left = nodes[3];
    const Handle waits = nodes[4];
    const Handle next = nodes[5];
    const auto listed = [&] { return ring.node(next).tables().leaf_set.contains(waits); };
    bool unheard = false;
    bool left_cut = false;
    ring.drop = [&](Handle from, const Send& send) {
      return relayed(send) || between(from, send, left, waits) ||
             (unheard && from == waits && send.to == next) ||
             (left_cut && between(from, send, nodes[2], left));
    };
    CHECK(most_roots(ring, seconds(35), keys, kStep) <= 1);
    REQUIRE_FALSE(ring.node(waits).active());
    unheard = true;
    while (listed() || !ring.node(left).active()) ring.run(kStep);
    unheard = false;
    while (!listed()) ring.run(kStep);
    ring.run(milliseconds(200));
    left_cut = true;
    CHECK(most_roots(ring, 3 * config.lease, keys, kStep) <= 1);
  }
}
