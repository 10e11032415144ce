#include "pastry/sim/scenario/flip_counter.h"

#include <algorithm>

namespace pastry::sim {

std::uint64_t FlipCounter::most() const {
  std::uint64_t most = 0;
  for (const auto& [pair, flips] : flips_) most = std::max(most, flips);
  return most;
}

std::uint64_t FlipCounter::total() const {
  std::uint64_t total = 0;
  for (const auto& [pair, flips] : flips_) total += flips;
  return total;
}

void FlipCounter::update(Context context, Handle node, PeerChange change) {
  const NodeIndex member = simulator_->node_of(node);
  if (member == kNoNode) return;
  const Pair pair{simulator_->node_of(context.self()), member};
  if (change == PeerChange::left) {
    if (simulator_->active(member) && simulator_->handle(member) == node) lost_.insert(pair);
    return;
  }
  if (lost_.erase(pair) > 0) ++flips_[pair];
}

}  // namespace pastry::sim
