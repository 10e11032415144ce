// Rings of every small size, extreme ids, and joins into one gap (faults R3, R10).
#include <doctest/doctest.h>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

constexpr Id kHighest{~0ULL, ~0ULL};

void check_healthy(TestRing& ring, std::size_t lookups = 60) {
  CHECK(ring.wait_active());
  ring->run_for(seconds(3) * 3);
  const Findings findings = check_quiet_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
  CHECK(ring.look_up(lookups) == 0);
  CHECK_MESSAGE(ring.oracle().findings().ok(), ring.oracle().findings().text());
}

}  // namespace

TEST_CASE("rings of 1, 2, 3, l/2, l, l+1 and some more nodes form") {
  for (const std::size_t nodes : {1, 2, 3, 4, 5, 7, 8, 9, 10, 17, 40}) {
    CAPTURE(nodes);
    TestRing ring(nodes);
    CHECK(ring.grow(nodes));
    check_healthy(ring);
  }
}

TEST_CASE("ids at the ends of the ring") {
  TestRing ring(1);
  const NodeIndex zero = ring->add_node(Id{});
  ring->found(zero);
  const NodeIndex highest = ring->add_node(kHighest);
  ring->join(highest, zero);
  check_healthy(ring);
  const NodeIndex middle = ring->add_node(Id(1ULL << 63, 0));
  ring->join(middle, highest);
  const NodeIndex one = ring->add_node(Id(0, 1));
  ring->join(one, middle);
  check_healthy(ring);
  CHECK(closest_active(ring.simulator(), Id(~0ULL, 0)) == highest);
}

TEST_CASE("2 to 16 nodes join one gap at the same moment") {
  for (std::uint64_t joiners = 2; joiners <= 16; ++joiners) {
    CAPTURE(joiners);
    TestRing ring(joiners);
    REQUIRE(ring.grow(20));
    ring->run_for(seconds(5));
    // All between two neighbours: one gap.
    const auto first = ring->active_nodes().begin();
    const Id gap = std::next(first)->first - first->first;
    for (std::uint64_t i = 1; i <= joiners; ++i) {
      const Id offset(gap.high() / 32 * i, 0);
      const NodeIndex node = ring->add_node(first->first + offset);
      ring->join(node, random_active(ring.simulator()));
    }
    // Lookups into the gap all the while: never a wrong root.
    for (int i = 0; i < 100; ++i) {
      const Key key = first->first + Id(gap.high() / 100 * static_cast<unsigned>(i), 7);
      REQUIRE(ring->route(random_active(ring.simulator()), kTestApplication, key, {}));
      ring->run_for(milliseconds(5));
    }
    check_healthy(ring);
    CHECK(ring->active_nodes().size() == 20 + joiners);
  }
}

TEST_CASE("many nodes join a ring of one at the same moment") {
  for (const std::size_t joiners : {2, 3, 8, 50}) {
    CAPTURE(joiners);
    TestRing ring(100 + joiners);
    const NodeIndex first = ring->add_node();
    ring->found(first);
    for (std::size_t i = 0; i < joiners; ++i) ring->join(ring->add_node(), first);
    check_healthy(ring);
    CHECK(ring->active_nodes().size() == joiners + 1);
  }
}

}  // namespace pastry::sim
