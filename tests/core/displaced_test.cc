// Who was held for dead and is back, where not everybody hears that: it acts when nobody else can.
#include <doctest/doctest.h>

#include "tests/core/roots.h"

using namespace pastry;
using pastry::test::grow;
using pastry::test::keys_around;
using pastry::test::lists;
using pastry::test::long_leases;
using pastry::test::most_roots;
using pastry::test::Ring;
using pastry::test::run_until;

namespace {

// Eight nodes; what they send each other over a third one is lost.
struct Displaced {
  explicit Displaced(std::uint64_t seed) : ring(long_leases(), seed) {}

  void lose(std::function<bool(Handle from, Handle to)> lost) {
    ring.drop = [lost = std::move(lost)](Handle from, const Send& send) {
      return std::holds_alternative<Relay>(send.message) || lost(from, send.to);
    };
  }
  std::size_t most(Duration time) { return most_roots(ring, time, keys, milliseconds(20)); }

  Ring ring;
  const std::vector<Handle> nodes = grow(ring, 8);
  const std::vector<Key> keys = keys_around(ring, nodes);
};

bool between(Handle from, Handle to, Handle one, Handle other) {
  return (from == one && to == other) || (from == other && to == one);
}

}  // namespace

TEST_CASE("who is back beside one that was guarded until now waits for it") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Displaced test(seed);
    Ring& ring = test.ring;
    const Handle cut = test.nodes[3];
    const Handle back = test.nodes[4];
    const Handle next = test.nodes[5];
    ring.stop(back);
    ring.run(4 * long_leases().lease + milliseconds(700 * seed));
    bool heals = false;  // to one side
    test.lose([&](Handle from, Handle to) {
      return (from == cut || to == cut) && !(heals && between(from, to, cut, next));
    });
    run_until(ring, [&] { return !lists(ring, next, cut); });
    ring.resume(back);
    run_until(ring, [&] { return !lists(ring, test.nodes[2], cut); });
    heals = true;
    CHECK(test.most(2 * long_leases().lease) <= 1);
  }
}

TEST_CASE("what a neighbour granted to others while this node waited for the other one counts") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Displaced test(seed);
    Ring& ring = test.ring;
    const Handle left = test.nodes[3];
    const Handle waits = test.nodes[4];
    const Handle next = test.nodes[5];
    bool unheard = false;
    bool left_cut = false;
    test.lose([&](Handle from, Handle to) {
      return between(from, to, left, waits) || (unheard && from == waits && to == next) ||
             (left_cut && between(from, to, test.nodes[2], left));
    });
    CHECK(test.most(seconds(35)) <= 1);
    REQUIRE_FALSE(ring.node(waits).active());
    unheard = true;
    run_until(ring, [&] { return !lists(ring, next, waits) && ring.node(left).active(); });
    unheard = false;
    run_until(ring, [&] { return lists(ring, next, waits); });
    ring.run(milliseconds(200));
    left_cut = true;
    CHECK(test.most(3 * long_leases().lease) <= 1);
  }
}
