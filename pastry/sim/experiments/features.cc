#include "pastry/sim/experiments/features.h"

namespace pastry::sim {

std::vector<std::string> features_of(const SimulatorOptions& options) {
  std::vector<std::string> on = {"joins", "probes", "heartbeats", "acks"};
  if (options.encode) on.emplace_back("encoding");
  if (options.check_told) on.emplace_back("told-check");
  const NetworkOptions& network = options.network;
  if (network.loss > 0) on.emplace_back("loss");
  if (network.duplication > 0) on.emplace_back("duplication");
  if (network.reordering > 0) on.emplace_back("reordering");
  if (network.gray_links > 0) on.emplace_back("gray links");
  if (network.blocked_links > 0) on.emplace_back("blocked links");
  if (network.one_way_links > 0) on.emplace_back("one-way links");
  if (network.slow_nodes > 0) on.emplace_back("slow nodes");
  return on;
}

}  // namespace pastry::sim
