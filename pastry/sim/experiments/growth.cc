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

}  // namespace pastry::sim
