// Loss, crash, restart, leave, pause, partition: the ring repairs itself and no root is wrong.
#include <doctest/doctest.h>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

// Failure detection bound of the LAN profile.
constexpr Duration kDetection = seconds(5);

void check_healthy(TestRing& ring, std::size_t lookups = 200) {
  const Findings findings = check_quiet_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
  CHECK(ring.look_up(lookups) == 0);
  CHECK_MESSAGE(ring.oracle().findings().ok(), ring.oracle().findings().text());
}

}  // namespace

TEST_CASE("a tenth of the ring crashes at once") {
  TestRing ring(11, 16);
  REQUIRE(ring.grow(200));
  ring->run_for(seconds(10));
  for (int i = 0; i < 20; ++i) ring->crash(random_active(ring.simulator()));
  ring->run_for(kDetection);
  CHECK(ring.look_up(1000) == 0);
  ring->run_for(seconds(30));
  check_healthy(ring);
}

TEST_CASE("a random node is none that is paused or down, and nobody if all are") {
  TestRing ring(10);
  REQUIRE(ring.grow(3));
  ring->crash(NodeIndex{0});
  ring->pause(NodeIndex{2});
  for (int i = 0; i < 20; ++i) CHECK(random_active(ring.simulator()) == NodeIndex{1});
  ring->pause(NodeIndex{1});
  CHECK(random_active(ring.simulator()) == kNoNode);
  CHECK_FALSE(ring.grow(4));
  ring->crash(NodeIndex{1});
  ring->crash(NodeIndex{2});
  CHECK(random_active(ring.simulator()) == kNoNode);
}

TEST_CASE("l/2 - 1 adjacent nodes crash at once") {
  TestRing ring(12, 8);
  REQUIRE(ring.grow(60));
  ring->run_for(seconds(10));
  auto victim = ring->active_nodes().begin();
  std::vector<NodeIndex> victims;
  for (int i = 0; i < 3; ++i) victims.push_back((victim++)->second);
  for (const NodeIndex node : victims) ring->crash(node);
  ring->run_for(seconds(30));
  check_healthy(ring);
}

TEST_CASE("a restarted node comes back at once with a higher incarnation") {
  TestRing ring(13);
  REQUIRE(ring.grow(50));
  ring->run_for(seconds(10));
  const NodeIndex node{17};
  const Handle before = ring->handle(node);
  ring->crash(node);
  ring->run_for(milliseconds(100));
  ring->restart(node);
  CHECK(ring->directory().incarnation(ring->handle(node)) ==
        ring->directory().incarnation(before) + 1);
  CHECK(ring.wait_active(seconds(2)));
  ring->run_for(kDetection * 2);
  check_healthy(ring);
}

TEST_CASE("rings of 1, 2 and 3 nodes: all down and up again") {
  for (std::size_t nodes = 1; nodes <= 3; ++nodes) {
    CAPTURE(nodes);
    TestRing ring(20 + nodes);
    REQUIRE(ring.grow(nodes));
    ring->run_for(seconds(10));
    for (std::uint32_t i = 0; i < nodes; ++i) ring->crash(NodeIndex{i});
    ring->run_for(seconds(1));
    for (std::uint32_t i = 0; i < nodes; ++i) {
      ring->restart(NodeIndex{i});
      ring->run_for(milliseconds(300));
    }
    CHECK(ring.wait_active());
    ring->run_for(seconds(30));
    CHECK(ring->active_nodes().size() == nodes);
    check_healthy(ring, 20);
  }
}

TEST_CASE("who dies before it is active again still remembers the ring") {
  TestRing ring(24);
  REQUIRE(ring.grow(6));
  ring->run_for(seconds(10));
  const auto all = [&](auto&& act) {
    for (std::uint32_t i = 0; i < 6; ++i) act(NodeIndex{i});
  };
  all([&](NodeIndex node) { ring->crash(node); });
  all([&](NodeIndex node) { ring->restart(node); });
  all([&](NodeIndex node) { ring->crash(node); });
  all([&](NodeIndex node) { ring->restart(node); });
  CHECK(ring.wait_active());
  ring->run_for(seconds(30));
  check_healthy(ring, 20);
}

TEST_CASE("rings of 2 and 3 nodes: each crashes and comes back in turn") {
  for (std::size_t nodes = 2; nodes <= 3; ++nodes) {
    CAPTURE(nodes);
    TestRing ring(30 + nodes);
    REQUIRE(ring.grow(nodes));
    for (std::uint32_t i = 0; i < nodes; ++i) {
      ring->run_for(seconds(10));
      ring->crash(NodeIndex{i});
      ring->run_for(seconds(10));
      CHECK(ring.all_active());
      CHECK(ring.look_up(20) == 0);
      ring->restart(NodeIndex{i});
      CHECK(ring.wait_active());
      ring->run_for(seconds(10));
      check_healthy(ring, 20);
    }
  }
}

TEST_CASE("a graceful leave needs no timeout") {
  TestRing ring(40);
  REQUIRE(ring.grow(60));
  ring->run_for(seconds(10));
  for (int i = 0; i < 10; ++i) {
    ring->leave(random_active(ring.simulator()));
    ring->run_for(milliseconds(500));
    const Findings findings = check_ring(ring.simulator());
    CHECK_MESSAGE(findings.ok(), findings.text());
    CHECK(ring.look_up(20, seconds(2)) == 0);
  }
  ring->run_for(kDetection);
  check_healthy(ring);
}

TEST_CASE("lookups survive lost and doubled messages") {
  TestRing ring(41, 16);
  REQUIRE(ring.grow(100));
  ring->network().set_loss(0.05);
  ring->network().set_duplication(0.05);
  CHECK(ring.look_up(500, seconds(20)) == 0);
  CHECK_MESSAGE(ring.oracle().findings().ok(), ring.oracle().findings().text());
}

TEST_CASE("a ring forms although messages are lost") {
  SimulatorOptions options = TestRing::lan(42, 16);
  options.network.loss = 0.02;
  TestRing ring(std::move(options));
  CHECK(ring.grow(100));
  ring->run_for(seconds(20));
  ring->network().set_loss(0);
  ring->run_for(seconds(90));
  check_healthy(ring);
}

TEST_CASE("a node that dies while it is stopped leaves nothing behind") {
  TestRing ring(43);
  REQUIRE(ring.grow(8));
  ring->run_for(seconds(10));
  const NodeIndex node{5};
  ring->run(node, kTestApplication, [](Context context) { (void)context.store(StoreUsage{}); });
  CHECK(ring->pending_storage() == 1);
  ring->pause(node);
  ring->run_for(seconds(1));
  CHECK(ring->pending_storage() == 1);
  ring->crash(node);
  CHECK(ring->pending_storage() == 0);
  ring->restart(node);
  CHECK(ring.wait_active());
}

TEST_CASE("a node that was stopped for a while comes back") {
  TestRing ring(43);
  REQUIRE(ring.grow(50));
  ring->run_for(seconds(10));
  const NodeIndex node{5};
  ring->pause(node);
  ring->run_for(seconds(60));
  ring->resume(node);
  ring->run_for(seconds(10));
  CHECK(ring.all_active());
  ring->run_for(seconds(20));
  check_healthy(ring);
}

}  // namespace pastry::sim
