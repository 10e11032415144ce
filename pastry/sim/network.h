// Who can reach whom and after which delay: topology, loss, duplication, reordering, bad links,
// partitions, slow nodes.
//
// Deterministic: the seed decides what is lost and which links are bad. Everything is off by
// default. Faults happen where the transport hands a message over, because a stream transport hides
// the loss of packets.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/random.h"
#include "pastry/core/timestamp.h"
#include "proximity/topology.h"

namespace pastry::sim {

// A simulated node: its place in the topology, kept over restarts.
enum class NodeIndex : std::uint32_t {};
inline constexpr NodeIndex kNoNode{0xffffffffU};
constexpr std::uint32_t index(NodeIndex node) { return static_cast<std::uint32_t>(node); }

// Faults of the network as a whole. Probabilities and shares are in [0, 1]. Which links are bad is
// decided by the seed and the two nodes, so that it stays the same over their restarts.
struct NetworkOptions {
  // Of a message: to be lost; to arrive twice.
  double loss = 0;
  double duplication = 0;
  // Of a message: to be delayed further, by up to `reordering_delay` (uniformly), so that later
  // ones overtake it.
  double reordering = 0;
  Duration reordering_delay = std::chrono::milliseconds(100);
  // Share of the pairs of nodes whose link is gray: it loses `gray_loss` of its messages in both
  // directions, beside the loss of all.
  double gray_links = 0;
  double gray_loss = 0.3;
  // Share of the pairs that cannot talk at all, or in one direction only; others may reach both.
  double blocked_links = 0;
  double one_way_links = 0;
  // Share of the nodes that are slow: each message that one receives takes `slow_processing` before
  // the next is looked at; what would wait longer than `slow_backlog` is lost.
  double slow_nodes = 0;
  Duration slow_processing = std::chrono::milliseconds(5);
  Duration slow_backlog = std::chrono::seconds(10);

  // The first value out of range, as ErrorCode::invalid.
  Result<void> validate() const;
  // Whether a live node can look dead.
  bool deceives() const;
};

// A probability or share of NetworkOptions. Whoever lists them takes this table.
struct NetworkShare {
  std::string_view option;  // on the command line and in scenarios
  std::string_view label;   // for people
  double NetworkOptions::*value;
  bool is_fault;  // does harm as soon as it is not 0
  bool deceives;  // makes live nodes look dead
};
inline constexpr std::array<NetworkShare, 8> kNetworkShares = {{
    {"loss", "loss", &NetworkOptions::loss, true, true},
    {"duplication", "duplication", &NetworkOptions::duplication, true, false},
    {"reordering", "reordering", &NetworkOptions::reordering, true, false},
    {"gray-links", "gray links", &NetworkOptions::gray_links, true, true},
    {"gray-loss", "gray loss", &NetworkOptions::gray_loss, false, false},
    {"blocked-links", "blocked links", &NetworkOptions::blocked_links, true, true},
    {"one-way-links", "one-way links", &NetworkOptions::one_way_links, true, true},
    {"slow-nodes", "slow nodes", &NetworkOptions::slow_nodes, true, true},
}};
// The one of that option, or null.
const NetworkShare* find_network_share(std::string_view option);

class Network {
 public:
  // `topology` must not be null; `seed` decides everything that is random. `options` must be valid.
  Network(std::shared_ptr<const proximity::Topology> topology, std::uint64_t seed,
          const NetworkOptions& options = {});

  const NetworkOptions& options() const { return options_; }
  // Changes the faults of the network as a whole from now on.
  void set_options(const NetworkOptions& options);
  // Probability in [0, 1] that a message is lost, or arrives twice.
  void set_loss(double probability);
  void set_duplication(double probability);

  // One direction of a link; cut_both takes two.
  void cut(NodeIndex from, NodeIndex to) { cut_.insert(link(from, to)); }
  void heal(NodeIndex from, NodeIndex to) { cut_.erase(link(from, to)); }
  void cut_both(NodeIndex a, NodeIndex b);
  void heal_all_links() { cut_.clear(); }

  // Nodes of different sides cannot reach each other; everybody starts on side 0.
  void set_side(NodeIndex node, std::uint8_t side);
  // What one side sends reaches the other all the same: a partition in one direction.
  void open(std::uint8_t from_side, std::uint8_t to_side);
  // Everybody is on side 0 again.
  void heal_partition();
  std::uint8_t side(NodeIndex node) const {
    return index(node) < sides_.size() ? sides_[index(node)] : std::uint8_t{0};
  }

  // From now on each message that `node` receives takes this long to process, whatever the options
  // say; zero: it is not slow.
  void set_slow(NodeIndex node, Duration processing);

  bool reachable(NodeIndex from, NodeIndex to) const;
  // What the topology says; without faults.
  Duration delay(NodeIndex from, NodeIndex to) const {
    return topology_->delay(index(from), index(to));
  }
  const proximity::Topology& topology() const { return *topology_; }

  // How often a message that is sent now arrives: 0, 1 or 2 times.
  enum class Fate : std::uint8_t { arrives, arrives_twice, lost, cut };
  Fate fate(NodeIndex from, NodeIndex to);

  // When a message that is sent now and arrives is handed to the receiver; kNever if the receiver
  // is so far behind that it is lost.
  Time arrival(NodeIndex from, NodeIndex to, Time now);

 private:
  struct Slow {
    std::optional<Duration> own;  // set for this node
    Time busy_until;
  };

  static std::uint64_t link(NodeIndex from, NodeIndex to) {
    return (std::uint64_t{index(from)} << 32) | index(to);
  }
  static std::uint64_t threshold(double probability);
  // A number that is always the same for the pair, whichever comes first.
  std::uint64_t draw(NodeIndex a, NodeIndex b, std::uint64_t stream) const;
  bool is_bad(NodeIndex from, NodeIndex to) const;
  Duration processing(NodeIndex node) const;

  std::shared_ptr<const proximity::Topology> topology_;
  std::uint64_t seed_;
  Random random_;
  NetworkOptions options_;
  // Of 2^53.
  std::uint64_t loss_ = 0;
  std::uint64_t duplication_ = 0;
  std::uint64_t reordering_ = 0;
  std::uint64_t gray_links_ = 0;
  std::uint64_t gray_loss_ = 0;
  std::uint64_t blocked_links_ = 0;
  std::uint64_t one_way_links_ = 0;
  std::uint64_t slow_nodes_ = 0;
  std::unordered_set<std::uint64_t> cut_;
  std::vector<std::uint8_t> sides_;
  std::unordered_set<std::uint32_t> open_;  // pairs of sides
  std::map<NodeIndex, Slow> slow_;          // those that are slow, or were
};

}  // namespace pastry::sim
