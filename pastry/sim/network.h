// Who can reach whom and after which delay: topology, loss, duplication, cut links, partitions.
//
// Deterministic: the seed decides what is lost. Everything is off by default. Loss and duplication
// happen where the transport hands a message over, because a stream transport hides the loss of
// packets.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "pastry/core/random.h"
#include "pastry/core/timestamp.h"
#include "proximity/topology.h"

namespace pastry::sim {

// A simulated node: its place in the topology, kept over restarts.
enum class NodeIndex : std::uint32_t {};
inline constexpr NodeIndex kNoNode{0xffffffffU};
constexpr std::uint32_t index(NodeIndex node) { return static_cast<std::uint32_t>(node); }

class Network {
 public:
  // `topology` must not be null; `seed` decides loss and duplication.
  Network(std::shared_ptr<const proximity::Topology> topology, std::uint64_t seed);

  // Probability in [0, 1] that a message is lost, or arrives twice.
  void set_loss(double probability) { loss_ = threshold(probability); }
  void set_duplication(double probability) { duplication_ = threshold(probability); }

  // One direction of a link; cut_both and heal_both take two.
  void cut(NodeIndex from, NodeIndex to) { cut_.insert(link(from, to)); }
  void heal(NodeIndex from, NodeIndex to) { cut_.erase(link(from, to)); }
  void cut_both(NodeIndex a, NodeIndex b);
  void heal_both(NodeIndex a, NodeIndex b);
  void heal_all_links() { cut_.clear(); }

  // Nodes of different sides cannot reach each other; everybody starts on side 0.
  void set_side(NodeIndex node, std::uint8_t side);
  void heal_partition() { sides_.clear(); }

  bool reachable(NodeIndex from, NodeIndex to) const;
  Duration delay(NodeIndex from, NodeIndex to) const {
    return topology_->delay(index(from), index(to));
  }
  const proximity::Topology& topology() const { return *topology_; }

  // How often a message that is sent now arrives: 0, 1 or 2 times.
  enum class Fate : std::uint8_t { arrives, arrives_twice, lost, cut };
  Fate fate(NodeIndex from, NodeIndex to);

 private:
  static std::uint64_t link(NodeIndex from, NodeIndex to) {
    return (std::uint64_t{index(from)} << 32) | index(to);
  }
  static std::uint64_t threshold(double probability);
  std::uint8_t side(NodeIndex node) const {
    return index(node) < sides_.size() ? sides_[index(node)] : std::uint8_t{0};
  }

  std::shared_ptr<const proximity::Topology> topology_;
  Random random_;
  std::uint64_t loss_ = 0;  // of 2^53
  std::uint64_t duplication_ = 0;
  std::unordered_set<std::uint64_t> cut_;
  std::vector<std::uint8_t> sides_;
};

}  // namespace pastry::sim
