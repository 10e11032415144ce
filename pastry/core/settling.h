// How a node that has just become active finds the nodes near it, with few probes.
//
// Sources: [Pastry §2.4, §2.5]; Castro, Druschel, Hu, Rowstron: Proximity Neighbor Selection in
// Tree-Based Structured Peer-to-Peer Overlays, MSR-TR-2003-52. The seed of a join is anywhere, and
// so are the leaves, but those are probed anyway: the nearest of them is the first foothold. From
// the deepest row up to row 0, at each level r the node
//  1. asks the nearest node it knows that shares r digits for its rows, with the distances that
//     that node measured (a row of a near node is nearly as good as one's own could be);
//  2. probes the few entries that may be nearer still, for which |a - d| is least: a is the
//     distance to the asked, d from the asked to the entry, and by the triangle inequality the
//     entry is not nearer than |a - d| and not farther than a + d;
//  3. asks again if somebody nearer was found, else goes one level up.
// Meanwhile a table of candidates keeps, per slot, who is nearest by a + d. Nobody is routed over
// it: at the end each candidate that is better than what stands in the routing table is probed, and
// its answer puts it there. Then those that want this node in their tables are told so, with the
// row that the two have in common.
//
// Exists only while it goes on: a few round trips.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "pastry/core/message.h"
#include "pastry/core/routing_table.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

class Settling {
 public:
  explicit Settling(const NodeState& node);

  // Rows that came with the grant: somebody for slots that nothing nearer fills.
  void keep(const std::vector<Row>& rows);
  void start(NodeState& node, Step& step);
  void receive(NodeState& node, Step& step, Handle from, const RowReply& reply);
  // Whether that is what a reply of `from` is for.
  bool awaits(Handle from) const { return phase_ == Phase::climbing && from == awaited_; }
  // Goes on if nothing is outstanding: a probe ended, answered or not.
  void proceed(NodeState& node, Step& step);
  // `peer` would take this node into its table, being so far away.
  void wanted_by(Handle peer, Duration round_trip);
  bool done() const { return phase_ == Phase::done; }

  Time deadline() const { return deadline_; }
  // Node::prefetch_details.
  void prefetch_details() const { candidates_.table.prefetch(); }
  void advance(NodeState& node, Step& step);
  void mark_handles(Directory& directory) const;

 private:
  enum class Phase : std::uint8_t { waiting, climbing, filling, done };

  // Known by name: how near it may be.
  struct Promise {
    Duration nearest{};
    Handle peer = kNoHandle;
    int row = 0;

    friend auto operator<=>(const Promise&, const Promise&) = default;
  };

  // A routing table that nobody is routed over. It refers to an id, and brings its own: a copy of
  // the node must not refer to that of the original.
  struct Candidates {
    Candidates(const Directory& directory, const NodeId& owner, int digit_bits)
        : self(owner), table(directory, self, digit_bits) {}
    Candidates(const Candidates& other) : self(other.self), table(other.table, self) {}
    Candidates& operator=(const Candidates&) = delete;

    NodeId self;
    RoutingTable table;
  };

  void climb(NodeState& node, Step& step);
  bool ask(NodeState& node, Step& step, Located nearest);
  bool explore(NodeState& node, Step& step, Proximity nearest);
  void note(const NodeState& node, const Located& entry);
  void fill(NodeState& node, Step& step);
  void finish(NodeState& node, Step& step);

  Candidates candidates_;
  std::vector<Promise> promising_;
  std::vector<Handle> asked_;
  std::vector<std::pair<Handle, Duration>> wanted_by_;
  Handle awaited_ = kNoHandle;
  Proximity distance_;  // to the last one asked
  Time deadline_ = kNever;
  std::int16_t level_ = 0;
  std::uint8_t asked_at_level_ = 0;
  bool explored_ = false;
  Phase phase_ = Phase::waiting;
};

}  // namespace pastry
