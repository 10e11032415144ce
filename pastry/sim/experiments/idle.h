// The experiment `sim idle`: what a node costs that has nothing to do.
//
// Grows a ring to two sizes, lets it rest at each, and divides the growth of the live heap by the
// nodes added: applications, directory and pending events included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "pastry/core/error.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct IdleExperiment {
  // Its application factory says what runs on each node.
  SimulatorOptions simulator;
  std::size_t nodes_first = 5000;
  std::size_t nodes = 10000;
  // Virtual time between the last join and the measurement.
  Duration rest = minutes(2);
  std::function<void(std::string_view phase, std::size_t done, std::size_t total)> progress;
};

struct IdleReport {
  std::size_t nodes_first = 0;
  std::size_t nodes = 0;
  std::uint64_t heap_first = 0;
  std::uint64_t heap = 0;
  std::uint64_t bytes_per_node = 0;
  std::size_t pending_events = 0;
  double events_per_node_s = 0;  // while at rest
  double virtual_s = 0;
  double wall_s = 0;
  std::uint64_t trace_hash = 0;
};

// Errors: invalid (parameters), failed (the ring did not form).
Result<IdleReport> run_idle_experiment(const IdleExperiment& experiment);

}  // namespace pastry::sim
