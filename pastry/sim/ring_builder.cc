#include "pastry/sim/ring_builder.h"

#include <algorithm>

namespace pastry::sim {

namespace {

// How often growth reports its progress.
constexpr std::size_t kProgressSteps = 100;
// Rings of this size outgrow what the processor's caches reach with ordinary pages.
constexpr std::size_t kHugeRing = 20000;

std::size_t target_in_flight(std::size_t active, const RingGrowth& growth) {
  const double target = static_cast<double>(active) * growth.in_flight;
  return std::max<std::size_t>(1, static_cast<std::size_t>(target));
}

}  // namespace

NodeIndex random_active(Simulator& simulator) {
  const auto& active = simulator.active_nodes();
  const bool any = std::any_of(active.begin(), active.end(), [&](const auto& member) {
    return simulator.status(member.second) == NodeStatus::up;
  });
  while (any) {
    const NodeIndex node{static_cast<std::uint32_t>(simulator.random().below(simulator.size()))};
    if (simulator.active(node) && simulator.status(node) == NodeStatus::up) return node;
  }
  return kNoNode;
}

GrowthResult grow_ring(Simulator& simulator, std::size_t nodes, const RingGrowth& growth) {
  GrowthResult result;
  const SimulatorCounters before = simulator.counters();
  const std::size_t first = simulator.size();
  if (first == 0 && nodes > 0) simulator.found(simulator.add_node());
  const std::size_t active_before = simulator.active_nodes().size();
  const std::size_t to_join = nodes > simulator.size() ? nodes - simulator.size() : 0;
  const std::size_t progress_step = std::max<std::size_t>(1, nodes / kProgressSteps);
  std::size_t next_progress = progress_step;
  const auto activated = [&] { return simulator.active_nodes().size() - active_before; };

  if (nodes >= kHugeRing) simulator.use_huge_pages();

  while (activated() < to_join) {
    const std::size_t active = simulator.active_nodes().size();
    while (result.joins < to_join &&
           result.joins - activated() < target_in_flight(active, growth)) {
      const NodeIndex seed = random_active(simulator);
      if (seed == kNoNode) break;
      simulator.join(simulator.add_node(), seed);
      ++result.joins;
    }
    if (growth.progress && active >= next_progress) {
      growth.progress(active);
      next_progress = active + progress_step;
    }
    const bool moved =
        simulator.run_until([&] { return simulator.active_nodes().size() != active; },
                            simulator.now() + growth.patience);
    if (!moved) break;
  }
  result.active = simulator.active_nodes().size();
  result.complete = activated() == to_join;
  result.messages = simulator.counters().messages - before.messages;
  for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
    result.by_kind[kind] = simulator.counters().by_kind[kind] - before.by_kind[kind];
  }
  return result;
}

}  // namespace pastry::sim
