// Upkeep of the routing table and the neighbourhood set [Pastry §2.4, MSPastry §4.3].
//
// Announcement after a join, answers to row requests, periodic gossip of rows, slow probing of
// entries that traffic does not show to be alive (table_probing.cc), the exchange of neighbourhood
// sets, and attempts to reach peers that were declared dead (reunion.cc).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pastry/core/box.h"
#include "pastry/core/message.h"
#include "pastry/core/prefetch.h"
#include "pastry/core/probe_tuning.h"
#include "pastry/core/settling.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

// Entries of one RowReply.
inline constexpr std::size_t kRowEntriesSentMax = 1024;

class Upkeep {
 public:
  // Periods start now; called when the node becomes active.
  void start(NodeState& node, Step& step);
  // Rows that came with the grant, for the time when this node is active.
  void keep_rows(NodeState& node, const std::vector<Row>& rows);

  void receive(NodeState& node, Step& step, Handle from, const RowRequest& request);
  void receive(NodeState& node, Step& step, Handle from, const RowReply& reply);
  void receive(NodeState& node, Step& step, Handle from, const NeighbourhoodRequest& request);
  void receive(NodeState& node, Step& step, Handle from, const NeighbourhoodReply& reply);
  void receive(NodeState& node, Step& step, Handle from, const Announce& announce);
  void receive(NodeState& node, Step& step, Handle from, const Seek& seek);

  // How near `peer` must be to come into the routing table: Pong::wanted.
  Proximity wanted(const NodeState& node, Handle peer) const;
  // `peer` would take this node into its table, being so far away: it is told so, at once or when
  // this node has found its own near ones.
  void wanted_by(NodeState& node, Step& step, Handle peer, Duration round_trip);
  void announce(NodeState& node, Step& step, Handle peer, Duration round_trip);
  // A probe of Settling ended, answered or not.
  void settle(NodeState& node, Step& step);

  // That leaf asked or answered with its leaf set, and has this node's: nobody on its side need be
  // asked at the side's next turn.
  void leaf_sets_exchanged(const NodeState& node, Handle leaf);
  // The leaf set lacks nodes: it is looked after at `at`.
  void hurry(Time at) { leaf_repair_at_ = std::min(leaf_repair_at_, at); }
  // A node that was in a table was found dead.
  void failed(NodeState& node, Time now);
  // Asks over one of those known for the own place in the ring.
  void seek_place(NodeState& node, Step& step);
  // T_rt of a neighbour, from its leaf-set probe.
  void heard_probe_period(NodeState& node, Handle from, Duration period);
  // T_rt as this node computed it, for its leaf-set probes; zero: it saw no failures.
  Duration own_probe_period(const Config& config) const;
  // T_rt in use.
  Duration probe_period(const Config& config) const;
  void seen_alive(const Config& config, Handle peer, Time now);
  // A peer that answered while this node joined, perhaps of another ring: tried while this node is
  // alone and, if it came back, for some rounds.
  void set_bootstrap(Handle peer) { bootstrap_ = peer; }
  // Asks for this node's place in the ring of `peer`, in case that is another ring (reunion.cc).
  void seek_over(NodeState& node, Step& step, Handle peer);
  // The same for a node that is alone, which goes on trying `peer` while it is.
  void seek_ring(NodeState& node, Step& step, Handle peer);

  Time deadline() const;
  void advance(NodeState& node, Step& step);
  void mark_handles(Directory& directory) const;
  // Node::prefetch_tables and prefetch_details.
  void prefetch() const {
    if (settling_) prefetch_lines(settling_.get(), sizeof(Settling));
  }
  void prefetch_details() const {
    if (settling_) settling_->prefetch_details();
  }

 private:
  Duration gossip_period(const Config& config) const;
  void exchange_leaf_sets(NodeState& node, Step& step);
  bool exchanged_in_turn();
  void release_settled();

  // rows.cc
  // Entries of rows `first` … `last` for a message, without `except`.
  std::vector<Located> located_rows(const NodeState& node, int first, int last,
                                    Handle except) const;
  void consider(NodeState& node, Step& step, Handle from, const std::vector<Located>& entries);
  void gossip(NodeState& node, Step& step);
  bool ask_in_row(NodeState& node, Step& step, int level);
  void ask_for_rows(NodeState& node, Step& step, int level);

  // table_probing.cc
  ProbeTuner& tuner(const Config& config);
  void update_tuner(NodeState& node, Time now);
  void probe_next_entry(NodeState& node, Step& step);
  bool known_alive(const NodeState& node, Time now, Handle peer) const;

  // reunion.cc
  void seek_reunion(NodeState& node, Step& step);
  void seek_first_contact(NodeState& node, Step& step);
  static bool cut_off(const NodeState& node);

  Time leaf_exchange_at_ = kNever;
  Time leaf_repair_at_ = kNever;  // the leaf set lacked nodes: looked after then, if it still does
  Time gossip_at_ = kNever;
  Time probe_at_ = kNever;
  Time reunion_at_ = kNever;
  Box<ProbeTuner> tuner_;   // while failures are seen
  Box<Settling> settling_;  // from the grant until the near nodes are found
  std::uint32_t active_since_s_ = 0;
  Handle bootstrap_ = kNoHandle;
  std::uint16_t probe_cursor_ = 0;
  std::uint8_t gossip_round_ = 0;
  std::uint16_t reunion_round_ = 0;
  bool exchange_right_ : 1 = false;  // was the last turn
  bool ask_in_rows_ : 1 = false;     // the last round of gossip went to members of each row
  // With somebody on that side since it had its turn.
  bool exchanged_left_ : 1 = false;
  bool exchanged_right_ : 1 = false;
};

}  // namespace pastry
