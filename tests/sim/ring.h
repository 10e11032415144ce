// Rings for the simulator's tests: options, waiting, lookups that are checked against the oracle.
#pragma once

#include <memory>
#include <vector>

#include "pastry/sim/checkers.h"
#include "pastry/sim/ring_builder.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

inline constexpr ApplicationId kTestApplication = application_id("test.sim");

// A simulation of the LAN profile with a small leaf set, every check on, and an application that
// counts on each node.
class TestRing {
 public:
  explicit TestRing(std::uint64_t seed, int leaf_set = 8) : TestRing(lan(seed, leaf_set)) {}
  explicit TestRing(SimulatorOptions options)
      : simulator_(with_counter(std::move(options))), oracle_(simulator_) {}

  static SimulatorOptions lan(std::uint64_t seed, int leaf_set = 8) {
    SimulatorOptions options;
    options.seed = seed;
    options.config = Config::lan();
    options.config.leaf_set = leaf_set;
    options.check_told = true;
    proximity::PlaneOptions plane;
    plane.seed = seed;
    plane.side = milliseconds(20);
    options.topology = proximity::make_plane(plane);
    return options;
  }

  Simulator* operator->() { return &simulator_; }
  Simulator& simulator() { return simulator_; }
  const DeliveryOracle& oracle() const { return oracle_; }

  // Ring of `nodes` random ids, all active.
  bool grow(std::size_t nodes) { return grow_ring(simulator_, nodes).complete; }

  // Runs until all nodes that are up are active.
  bool wait_active(Duration limit = seconds(60)) {
    return simulator_.run_until([this] { return all_active(); }, simulator_.now() + limit);
  }

  bool all_active() const {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      if (simulator_.status(NodeIndex{i}) == NodeStatus::up && !simulator_.active(NodeIndex{i})) {
        return false;
      }
    }
    return true;
  }

  // Sends `count` lookups of random keys and of live ids from random nodes, waits for `wait` after
  // the last one, and returns how many were not delivered. The oracle says whether rightly.
  std::size_t look_up(std::size_t count, Duration wait = seconds(10)) {
    const std::uint64_t before = oracle_.deliveries();
    std::size_t refused = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const NodeIndex source = random_active(simulator_);
      const Key key =
          i % 2 == 0 ? simulator_.random().id() : simulator_.id(random_active(simulator_));
      if (!simulator_.route(source, kTestApplication, key, Payload::copy_of("where?"))) ++refused;
      simulator_.run_for(milliseconds(1));
    }
    simulator_.run_until([&] { return oracle_.deliveries() - before >= count - refused; },
                         simulator_.now() + wait);
    return count - static_cast<std::size_t>(oracle_.deliveries() - before);
  }

 private:
  class Silent final : public Application {
    void deliver(Context, const Delivery&) override {}
  };

  static SimulatorOptions with_counter(SimulatorOptions options) {
    options.applications = [given = options.applications](Simulator& simulator, NodeIndex index,
                                                          Node& node) {
      simulator.add_application(index, kTestApplication, std::make_unique<Silent>());
      if (given) given(simulator, index, node);
    };
    return options;
  }

  Simulator simulator_;
  DeliveryOracle oracle_;
};

}  // namespace pastry::sim
