// The experiment `sim churn`: nodes come and go, lookups run all the time [MSPastry §5].
//
// A ring of N nodes grows; then each node's session ends after a random time, without a word. For
// each that goes another comes at once, so that N nodes run: half of the comers were there before
// and come back under the same id (a higher incarnation, with the peers that they remembered), half
// are new ids. Or a trace says who is there when. Lookups of random keys leave random active nodes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/sim/experiments/growth.h"
#include "pastry/sim/experiments/run_figures.h"
#include "pastry/sim/lookup_log.h"
#include "pastry/sim/session_trace.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct ChurnExperiment {
  SimulatorOptions simulator;
  // Of which the ring consists. Not used with a trace.
  std::size_t nodes = 1000;
  // Mean of the exponential sessions. Not used with a trace.
  Duration session_mean = minutes(30);
  // If not empty: who is there when; those that are there at 0 form the ring.
  SessionTrace trace;
  // Share of the comers that were there before, under the same id. Not used with a trace.
  double returning = 0.5;
  // Share of the sessions that end with a graceful leave.
  double graceful = 0;
  // Between the ring's growth and the first end of a session; then with churn, before counting.
  Duration rest = minutes(2);
  Duration warm_up = minutes(10);
  // While figures are taken.
  Duration duration = std::chrono::hours(2);
  // Lookups per second and node.
  double lookup_rate = 0.01;
  LookupLog::Options lookups;
  ExperimentProgress progress;
};

// One of the stretches of equal length into which the duration is cut.
struct ChurnInterval {
  double at_s = 0;  // its end, since counting began
  LookupCounts lookups;
  double control_msgs_per_node_s = 0;
  double active_nodes = 0;  // at its end
};

struct ChurnReport {
  std::size_t nodes = 0;
  double duration_s = 0;
  LookupCounts lookups;
  // Everything that is neither a lookup nor its acknowledgement, per second and running node;
  // joining included.
  double control_msgs_per_node_s = 0;
  double lookup_ack_msgs_per_node_s = 0;
  double lookup_msgs_per_node_s = 0;
  // Control messages by kind, in the order of message.h.
  std::vector<std::pair<std::string, double>> control_by_kind;
  double stretch_total = 0;
  double stretch_mean = 0;
  double stretch_p50 = 0;
  double stretch_p99 = 0;
  double hops_mean = 0;
  double latency_p50_s = 0;
  double latency_p99_s = 0;
  double latency_max_s = 0;
  // Of all counted lookups whose source lived, refused ones included: the share delivered in 10 s.
  double within_10s = 0;
  std::uint64_t joins = 0;
  std::uint64_t deaths = 0;
  double join_p50_s = 0;  // from start to active
  double join_p99_s = 0;
  double active_mean = 0;
  // One minute after the last change the ring must be one; what is wrong with it if not.
  bool one_ring_after = false;
  Findings ring_findings;
  // Wrong, doubled and lost lookups, described.
  Findings lookup_findings;
  std::vector<ChurnInterval> intervals;
  RunFigures run;

  // Lookups were delivered, all of them, rightly; and the ring is one in the end.
  bool holds() const;
};

// Errors: invalid (parameters out of range), failed (the ring did not form or died out).
Result<ChurnReport> run_churn_experiment(const ChurnExperiment& experiment);

}  // namespace pastry::sim
