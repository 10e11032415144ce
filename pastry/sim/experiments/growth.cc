#include "pastry/sim/experiments/growth.h"

#include <string>

namespace pastry::sim {

Result<GrowthResult> grow_experiment(Simulator& simulator, std::size_t nodes,
                                     const ExperimentProgress& progress, RingGrowth growth) {
  growth.progress = [&](std::size_t active) {
    if (progress) progress("joining", active, nodes);
  };
  const GrowthResult grown = grow_ring(simulator, nodes, growth);
  if (grown.complete) return grown;
  return fail(ErrorCode::failed, "the ring did not form: " + std::to_string(grown.active) + " of " +
                                     std::to_string(nodes) + " nodes became active");
}

Result<void> validate_experiment(const SimulatorOptions& options, int replicas,
                                 std::size_t lookups) {
  if (replicas < 1 || replicas > options.config.replicas_max()) {
    return fail(ErrorCode::invalid, "replicas: must be between 1 and l/2 + 1");
  }
  if (lookups < 1 || lookups > 100'000'000) {
    return fail(ErrorCode::invalid, "lookups: must be between 1 and 100 million");
  }
  if (Result<void> valid = options.network.validate(); !valid) return valid;
  return options.config.validate();
}

}  // namespace pastry::sim
