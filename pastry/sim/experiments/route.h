// The experiment `sim route`: how many hops, which detour, which root [Pastry §3.1, §3.2].
//
// A ring grows by joins, rests, and then routes lookups between random active nodes. Everything is
// done by the protocol; the simulator's knowledge is used to check and to choose, never to tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/sim/checkers.h"
#include "pastry/sim/experiments/growth.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct RouteExperiment {
  SimulatorOptions simulator;
  std::size_t nodes = 1000;
  std::size_t lookups = 10000;
  // Keys are drawn uniformly instead of being the ids of live nodes.
  bool random_keys = false;
  // Joiners in flight per active node while the ring grows.
  double in_flight = 0.25;
  // Virtual time between the last join and the first lookup.
  Duration rest = seconds(60);
  // Lookups per second and node.
  double lookup_rate = 1;
  std::size_t payload_bytes = 16;
  ExperimentProgress progress;
};

struct RouteReport {
  std::size_t nodes = 0;
  std::size_t lookups = 0;
  double hops_mean = 0;
  std::uint64_t hops_max = 0;
  std::vector<std::uint64_t> hops_histogram;  // index = hops
  // Route delay over direct delay: Σ/Σ, mean of the ratios, percentiles; lookups that end where
  // they start left out.
  double stretch_total = 0;
  double stretch_mean = 0;
  double stretch_p50 = 0;
  double stretch_p99 = 0;
  std::uint64_t wrong_root = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicates = 0;
  double join_messages_mean = 0;
  // The same by the kind of message, kinds that were sent only.
  std::vector<std::pair<std::string, double>> join_messages_by_kind;
  double routing_table_entries_mean = 0;
  double routing_table_fill = 0;
  std::vector<std::string> features;  // what was on
  std::uint64_t bytes_per_node = 0;   // live heap
  std::uint64_t message_bytes = 0;    // sent, encoded
  double virtual_s = 0;
  std::uint64_t events = 0;
  double wall_s = 0;
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t trace_hash = 0;
  // Broken invariants other than wrong_root, lost and duplicates.
  Findings findings;

  // Whether everything that must hold did.
  bool holds() const { return wrong_root == 0 && lost == 0 && duplicates == 0 && findings.ok(); }
};

// Errors: invalid (parameters out of range), failed (the ring did not form; names how far it got).
Result<RouteReport> run_route_experiment(const RouteExperiment& experiment);

}  // namespace pastry::sim
