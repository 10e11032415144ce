#include "pastry/sim/experiments/run_figures.h"

#include "pastry/sim/process_usage.h"

namespace pastry::sim {

std::vector<std::string> features_of(const SimulatorOptions& options) {
  std::vector<std::string> on = {"joins", "probes", "leases", "acks"};
  if (options.encode) on.emplace_back("encoding");
  if (options.check_told) on.emplace_back("told-check");
  for (const NetworkShare& share : kNetworkShares) {
    if (share.is_fault && options.network.*share.value > 0) on.emplace_back(share.label);
  }
  return on;
}

RunFigures run_figures(const Simulator& simulator, double wall_before) {
  RunFigures figures;
  figures.features = features_of(simulator.options());
  figures.virtual_s =
      std::chrono::duration<double>(simulator.now() - simulator.options().start).count();
  figures.events = simulator.counters().events;
  figures.wall_s = wall_seconds() - wall_before;
  figures.peak_rss_bytes = peak_rss_bytes();
  figures.trace_hash = simulator.trace_hash();
  return figures;
}

}  // namespace pastry::sim
