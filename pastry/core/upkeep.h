// Upkeep of the routing table and the neighbourhood set [Pastry §2.4, MSPastry §4.3].
//
// Announcement after a join, answers to row requests, periodic gossip of rows, slow probing of
// entries that traffic does not show to be alive, lazy repair of a dead entry, the exchange of
// neighbourhood sets, and attempts to reach peers that were declared dead.
#pragma once

#include <cstdint>
#include <vector>

#include "pastry/core/message.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

class Upkeep {
 public:
  // Periods start now; called when the node becomes active.
  void start(NodeState& node, Step& step);
  void announce(NodeState& node, Step& step);

  void receive(NodeState& node, Step& step, Handle from, const RowRequest& request);
  void receive(NodeState& node, Step& step, Handle from, const RowReply& reply);
  void receive(NodeState& node, Step& step, Handle from, const NeighbourhoodRequest& request);
  void receive(NodeState& node, Step& step, Handle from, const NeighbourhoodReply& reply);
  void receive(NodeState& node, Step& step, Handle from, const Announce& announce);

  // Pings those that would fill an empty slot (all = false) or that are unknown (all = true).
  void consider(NodeState& node, Step& step, const std::vector<Handle>& peers, bool all);
  // The entry of this row died: ask another of the row, or of the next one, for theirs.
  void repair(NodeState& node, Step& step, int row, const NodeId& dead);

  Time deadline() const;
  void advance(NodeState& node, Step& step);

 private:
  void exchange_leaf_sets(NodeState& node, Step& step);
  void gossip(NodeState& node, Step& step);
  void probe_next_entry(NodeState& node, Step& step);
  void seek_reunion(NodeState& node, Step& step);

  Time leaf_exchange_at_ = kNever;
  Time gossip_at_ = kNever;
  Duration gossip_period_{};
  Time probe_at_ = kNever;
  Time reunion_at_ = kNever;
  std::uint32_t probe_cursor_ = 0;
};

}  // namespace pastry
