// R6: a partition of five minutes heals into one ring within a minute of its end, whatever its
// shape, in both profiles.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

constexpr Duration kPartition = minutes(5);
constexpr Duration kHealed = seconds(60);

SimulatorOptions profile(const Config& config, std::uint64_t seed) {
  SimulatorOptions options = TestRing::lan(seed, 16);
  options.config = config;
  options.config.leaf_set = 16;
  return options;
}

// How long the ring takes to be one again, leaf sets complete; -1 s if it is not after kHealed.
double seconds_to_heal(TestRing& ring) {
  const Time healed = ring->now();
  while (ring->now() - healed < kHealed) {
    ring->run_for(seconds(1));
    if (check_ring(ring.simulator()).ok() && check_leaf_sets(ring.simulator()).ok()) {
      return std::chrono::duration<double>(ring->now() - healed).count();
    }
  }
  return -1;
}

void check_heals(const Config& config, std::uint64_t seed, std::size_t nodes,
                 const std::function<void(TestRing&)>& partition) {
  TestRing ring(profile(config, seed));
  REQUIRE(ring.grow(nodes));
  ring->run_for(minutes(1));
  partition(ring);
  ring->network().heal_partition();
  const double healed = seconds_to_heal(ring);
  MESSAGE("healed after " << healed << " s");
  CHECK(healed >= 0);
  ring->run_for(seconds(60));
  const Findings findings = check_quiet_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
  CHECK(ring.look_up(100) == 0);
}

void split(TestRing& ring, std::uint8_t sides) {
  for (std::uint32_t i = 0; i < ring->size(); ++i) {
    ring->network().set_side(NodeIndex{i}, static_cast<std::uint8_t>(ring->random().below(sides)));
  }
}

// The sides are arcs of the ring: only the ends of each have leaves on the other side.
void split_by_id(TestRing& ring) {
  std::size_t place = 0;
  const std::size_t half = ring->active_nodes().size() / 2;
  for (const auto& [id, node] : ring->active_nodes()) {
    ring->network().set_side(node, place++ < half ? 0 : 1);
  }
}

void for_both_profiles(const std::function<void(const Config&)>& run) {
  SUBCASE("lan") { run(Config::lan()); }
  SUBCASE("regional") { run(Config::regional()); }
  SUBCASE("wan") { run(Config::wan()); }
}

}  // namespace

TEST_CASE("R6: random halves") {
  for_both_profiles([](const Config& config) {
    check_heals(config, 71, 100, [](TestRing& ring) {
      split(ring, 2);
      ring->run_for(kPartition);
      CHECK_FALSE(check_ring(ring.simulator()).ok());
    });
  });
}

TEST_CASE("R6: halves of the ring") {
  for_both_profiles([](const Config& config) {
    check_heals(config, 72, 100, [](TestRing& ring) {
      split_by_id(ring);
      ring->run_for(kPartition);
      CHECK_FALSE(check_ring(ring.simulator()).ok());
    });
  });
}

TEST_CASE("R6: three parts") {
  for_both_profiles([](const Config& config) {
    check_heals(config, 73, 100, [](TestRing& ring) {
      split(ring, 3);
      ring->run_for(kPartition);
      CHECK_FALSE(check_ring(ring.simulator()).ok());
    });
  });
}

TEST_CASE("R6: halves of which one hears the other") {
  for_both_profiles([](const Config& config) {
    check_heals(config, 74, 100, [](TestRing& ring) {
      split(ring, 2);
      ring->network().open(1, 0);
      ring->run_for(kPartition);
      CHECK_FALSE(check_ring(ring.simulator()).ok());
    });
  });
}

TEST_CASE("R6: a partition that comes and goes") {
  for_both_profiles([](const Config& config) {
    check_heals(config, 75, 100, [](TestRing& ring) {
      for (int i = 0; i < 10; ++i) {
        split(ring, 2);
        ring->run_for(seconds(20));
        ring->network().heal_partition();
        ring->run_for(seconds(10));
      }
    });
  });
}

TEST_CASE("R6: most of a side is replaced while it is cut off") {
  check_heals(Config::lan(), 76, 60, [](TestRing& ring) {
    split_by_id(ring);
    ring->run_for(minutes(1));
    for (int i = 0; i < 20; ++i) {
      const NodeIndex node = random_active(ring.simulator());
      const std::uint8_t side = ring->network().side(node);
      ring->crash(node);
      ring->run_for(seconds(5));
      NodeIndex seed = random_active(ring.simulator());
      while (ring->network().side(seed) != side) seed = random_active(ring.simulator());
      const NodeIndex fresh = ring->add_node();
      ring->network().set_side(fresh, side);
      ring->join(fresh, seed);
      ring->run_for(seconds(5));
    }
    CHECK_FALSE(check_ring(ring.simulator()).ok());
  });
}

// The few that lost leaves to the cut are surrounded by many that never knew the other side.
TEST_CASE("R6: both halves of a small ring grow while they are cut off") {
  const auto grow_apart = [](TestRing& ring) {
    split_by_id(ring);
    ring->run_for(minutes(1));
    for (int i = 0; i < 40; ++i) {
      const NodeIndex seed = random_active(ring.simulator());
      const NodeIndex fresh = ring->add_node();
      ring->network().set_side(fresh, ring->network().side(seed));
      ring->join(fresh, seed);
      ring->run_for(seconds(5));
    }
    CHECK_FALSE(check_ring(ring.simulator()).ok());
  };
  for_both_profiles([&](const Config& config) {
    for (const std::uint64_t seed : {3, 7, 10, 11}) check_heals(config, seed, 8, grow_apart);
  });
}

TEST_CASE("R6: a node that was cut off from all others finds them again") {
  for_both_profiles([](const Config& config) {
    check_heals(config, 77, 30, [](TestRing& ring) {
      ring->network().set_side(NodeIndex{3}, 1);
      ring->run_for(kPartition);
      CHECK(ring->node(NodeIndex{3}).alone());
    });
  });
}

}  // namespace pastry::sim
