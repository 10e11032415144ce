#include "pastry/sim/experiments/idle.h"

#include "pastry/sim/process_usage.h"
#include "pastry/sim/ring_builder.h"

namespace pastry::sim {

namespace {

Result<std::uint64_t> heap_at(Simulator& simulator, std::size_t nodes,
                              const IdleExperiment& experiment) {
  RingGrowth growth;
  growth.progress = [&](std::size_t active) {
    if (experiment.progress) experiment.progress("joining", active, experiment.nodes);
  };
  const GrowthResult grown = grow_ring(simulator, nodes, growth);
  if (!grown.complete) {
    return fail(ErrorCode::failed, "the ring did not form: " + std::to_string(grown.active) +
                                       " of " + std::to_string(nodes) + " nodes became active");
  }
  simulator.run_for(experiment.rest);
  simulator.shrink();
  simulator.run_for(seconds(1));  // what was in flight then has arrived
  simulator.shrink();
  return heap_in_use();
}

}  // namespace

Result<IdleReport> run_idle_experiment(const IdleExperiment& experiment) {
  if (experiment.nodes_first == 0 || experiment.nodes <= experiment.nodes_first) {
    return fail(ErrorCode::invalid, "nodes: the second size must be larger than the first");
  }
  if (Result<void> valid = experiment.simulator.config.validate(); !valid) {
    return tl::unexpected(valid.error());
  }
  const double wall_before = wall_seconds();
  SimulatorOptions options = experiment.simulator;
  options.trace_upcalls = false;  // the price of watching is not the node's
  Simulator simulator(std::move(options));

  const Result<std::uint64_t> first = heap_at(simulator, experiment.nodes_first, experiment);
  if (!first) return tl::unexpected(first.error());
  const Result<std::uint64_t> second = heap_at(simulator, experiment.nodes, experiment);
  if (!second) return tl::unexpected(second.error());

  IdleReport report;
  report.nodes_first = experiment.nodes_first;
  report.nodes = experiment.nodes;
  report.heap_first = *first;
  report.heap = *second;
  if (*second > *first) {
    report.bytes_per_node = (*second - *first) / (experiment.nodes - experiment.nodes_first);
  }
  report.pending_events = simulator.pending_events();
  const std::uint64_t events_before = simulator.counters().events;
  simulator.run_for(minutes(1));
  report.events_per_node_s = static_cast<double>(simulator.counters().events - events_before) /
                             60.0 / static_cast<double>(experiment.nodes);
  report.virtual_s =
      std::chrono::duration<double>(simulator.now() - simulator.options().start).count();
  report.wall_s = wall_seconds() - wall_before;
  report.trace_hash = simulator.trace_hash();
  return report;
}

}  // namespace pastry::sim
