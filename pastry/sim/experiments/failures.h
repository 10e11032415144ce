// The experiment `sim failures`: what routing costs when many nodes die at once [Pastry §3.3].
//
// Lookups of random keys are measured in the whole ring; right after the deaths, with every message
// that would repair a table held back; and when the ring has repaired itself. Hops are counted to
// the first node on the path that is one of the k live nodes closest to the key (where a replica of
// a file would be), and to the root.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/sim/experiments/growth.h"
#include "pastry/sim/experiments/run_figures.h"
#include "pastry/sim/lookup_log.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct FailuresExperiment {
  SimulatorOptions simulator;
  std::size_t nodes = 5000;
  std::size_t kill = 500;
  int replicas = 5;
  // Per phase.
  std::size_t lookups = 100000;
  // Virtual time between the last join and the first lookup, and for repair; the cost of repair is
  // what is sent in the latter beyond what the same time costs without deaths.
  Duration rest = minutes(10);
  Duration repair = minutes(30);
  ExperimentProgress progress;
};

struct FailurePhase {
  double hops_first_replica = 0;
  double hops_root = 0;
  std::uint64_t lookups = 0;
  std::uint64_t reached_replica = 0;  // lookups that came to one of the k closest
  LookupCounts counts;
};

struct FailuresReport {
  std::size_t nodes = 0;
  std::size_t killed = 0;
  int replicas = 0;
  FailurePhase before;
  FailurePhase without_repair;
  FailurePhase repaired;
  // Control messages beyond those of the same time without deaths: all of them (which includes that
  // nodes probe more often when they see more failures), by kind (less than before: negative), and
  // half of those by which tables are repaired: request and answer are one call.
  double messages_per_failed_node = 0;
  std::vector<std::pair<std::string, double>> messages_by_kind;
  double calls_per_failed_node = 0;
  double control_msgs_per_node_s_before = 0;
  double control_msgs_per_node_s_repair = 0;
  double routing_table_fill = 0;  // after repair
  bool one_ring_after = false;
  Findings ring_findings;
  Findings lookup_findings;  // without those that only lost lookups for want of repair
  RunFigures run;

  // Lookups in the quiet ring, before and after, must all be right; between, none may be wrong.
  bool holds() const;
};

// Errors: invalid (parameters out of range), failed (the ring did not form).
Result<FailuresReport> run_failures_experiment(const FailuresExperiment& experiment);

}  // namespace pastry::sim
