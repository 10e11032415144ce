#include "pastry/sim/network.h"

#include <algorithm>
#include <utility>

namespace pastry::sim {

Network::Network(std::shared_ptr<const proximity::Topology> topology, std::uint64_t seed)
    : topology_(std::move(topology)), random_(seed) {}

std::uint64_t Network::threshold(double probability) {
  constexpr double kScale = 9007199254740992.0;  // 2^53
  return static_cast<std::uint64_t>(std::clamp(probability, 0.0, 1.0) * kScale);
}

void Network::cut_both(NodeIndex a, NodeIndex b) {
  cut(a, b);
  cut(b, a);
}

void Network::heal_both(NodeIndex a, NodeIndex b) {
  heal(a, b);
  heal(b, a);
}

void Network::set_side(NodeIndex node, std::uint8_t side) {
  if (index(node) >= sides_.size()) sides_.resize(index(node) + 1);
  sides_[index(node)] = side;
}

bool Network::reachable(NodeIndex from, NodeIndex to) const {
  if (side(from) != side(to)) return false;
  return cut_.empty() || !cut_.contains(link(from, to));
}

Network::Fate Network::fate(NodeIndex from, NodeIndex to) {
  if (!reachable(from, to)) return Fate::cut;
  if (loss_ != 0 && random_.next() >> 11 < loss_) return Fate::lost;
  if (duplication_ != 0 && random_.next() >> 11 < duplication_) return Fate::arrives_twice;
  return Fate::arrives;
}

}  // namespace pastry::sim
