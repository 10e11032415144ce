// Nodes come and go for long: what the simulation remembers stays bounded, and newcomers that take
// a dead node's place are nodes of their own.
#include <doctest/doctest.h>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

SimulatorOptions collecting(std::uint64_t seed, bool encode) {
  SimulatorOptions options = TestRing::lan(seed);
  options.check_told = false;
  options.collect_handles = true;
  options.encode = encode;
  return options;
}

}  // namespace

TEST_CASE("descriptions of dead incarnations are forgotten") {
  for (const bool encode : {true, false}) {
    CAPTURE(encode);
    TestRing ring(collecting(61, encode));
    REQUIRE(ring.grow(20));
    std::size_t most = 0;
    for (int round = 0; round < 400; ++round) {
      const NodeIndex node = random_active(ring.simulator());
      ring->crash(node);
      ring->run_for(seconds(2));
      if (round % 2 == 0) {
        ring->restart(node);
      } else {
        ring->replace(node);
        ring->join(node, random_active(ring.simulator()));
      }
      ring->run_for(seconds(3));
      most = std::max(most, ring->directory().size());
    }
    CHECK(most < 320);
    CHECK(ring->counters().undirected_sends == 0);
    CHECK(ring->counters().drops[static_cast<std::size_t>(DropCause::undecodable)] == 0);
    ring->run_for(minutes(1));
    CHECK(ring->active_nodes().size() == 20);
    const Findings findings = check_quiet_ring(ring.simulator());
    CHECK_MESSAGE(findings.ok(), findings.text());
  }
}

TEST_CASE("a newcomer in a dead node's place gets nothing that was meant for the dead one") {
  TestRing ring(62);
  REQUIRE(ring.grow(10));
  ring->run_for(seconds(5));
  const NodeIndex node{4};
  const NodeId before = ring->id(node);
  ring->crash(node);
  ring->replace(node);
  CHECK(ring->id(node) != before);
  CHECK(ring->status(node) == NodeStatus::added);
  ring->join(node, NodeIndex{0});
  CHECK(ring.wait_active());
  ring->run_for(seconds(30));
  CHECK(ring->active_nodes().size() == 10);
  const Findings findings = check_quiet_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
}

TEST_CASE("what arrives at a suspended machine is lost, at a stopped process it waits") {
  for (const bool suspended : {true, false}) {
    CAPTURE(suspended);
    TestRing ring(63);
    REQUIRE(ring.grow(10));
    ring->run_for(seconds(5));
    const NodeIndex node{3};
    const auto lost = [&] {
      return ring->counters().drops[static_cast<std::size_t>(DropCause::down)];
    };
    const std::uint64_t before = lost();
    suspended ? ring->suspend(node) : ring->pause(node);
    ring->run_for(seconds(20));
    CHECK((lost() > before) == suspended);
    ring->resume(node);
    ring->run_for(seconds(30));
    CHECK(ring.all_active());
    const Findings findings = check_quiet_ring(ring.simulator());
    CHECK_MESSAGE(findings.ok(), findings.text());
  }
}

}  // namespace pastry::sim
