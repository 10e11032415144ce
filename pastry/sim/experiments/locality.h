// The experiment `sim locality`: how near to its source a lookup finds one of the k nodes closest
// to its key [Pastry §3.4, figure 8].
//
// Lookups of random keys from random nodes of a quiet ring are measured twice: by prefix routing
// alone, and as replica lookups, which choose the nearest near the key (core/nearest_replica.h). A
// lookup reaches the first node on its path that is one of the k, where a file would be found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/sim/experiments/growth.h"
#include "pastry/sim/experiments/run_figures.h"
#include "pastry/sim/lookup_log.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct LocalityExperiment {
  SimulatorOptions simulator;
  std::size_t nodes = 10000;
  int replicas = 5;
  // Of each of the two ways.
  std::size_t lookups = 100000;
  // Virtual time between the last join and the first lookup.
  Duration rest = minutes(10);
  ExperimentProgress progress;
};

struct LocalityPhase {
  std::uint64_t reached = 0;         // lookups that came to one of the k
  std::vector<std::uint64_t> ranks;  // index = how many of the k are nearer than the one reached
  double nearest = 0;                // share of those reached that is the nearest of the k
  double two_nearest = 0;            // or the second
  double hops_mean = 0;              // to the one reached
  double detour = 0;                 // Σ delay to the one reached / Σ delay to the nearest
  LookupCounts counts;
};

struct LocalityReport {
  std::size_t nodes = 0;
  std::size_t lookups = 0;  // of each way
  int replicas = 0;
  LocalityPhase prefix;     // prefix routing alone
  LocalityPhase heuristic;  // replica lookups
  Findings lookup_findings;
  RunFigures run;

  // Every lookup reached one of the k and was delivered where it may be.
  bool holds() const;
};

// Errors: invalid (parameters out of range), failed (the ring did not form).
Result<LocalityReport> run_locality_experiment(const LocalityExperiment& experiment);

}  // namespace pastry::sim
