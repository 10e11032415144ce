// Forwarding with per-hop acknowledgement [MSPastry §4.2].
//
// Every hop is acknowledged; a silent one is suspected and probed, and the message goes to an
// alternative that its header then excludes. The last hop is different: while the root is only
// suspected the message stays with it, because nobody else may deliver. The root removes the copies
// that retransmission makes.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "pastry/core/box.h"
#include "pastry/core/identity_set.h"
#include "pastry/core/message.h"
#include "pastry/core/prefetch.h"
#include "pastry/core/step.h"
#include "proximity/rtt_estimator.h"

namespace pastry {

struct NodeState;
struct NodeLoad;

class Forwarder {
 public:
  // A message that starts at this node.
  void start(NodeState& node, Step& step, LocalRoute&& work);
  // A message from another node: acknowledged (with the next flush; as held
  // while it waits) and sent on or delivered.
  void receive(NodeState& node, Step& step, Handle from, Routed&& message);
  void acknowledged(NodeState& node, Step& step, Handle from, const HopAck& ack);

  // Others may take this node for dead, and send the copies that they have elsewhere: what they
  // were told that is held here is theirs again.
  void hand_back(NodeState& node);
  // The node became active, or a guard ended: what was kept is routed again.
  void release_kept(NodeState& node, Step& step);
  // Everything that waits for this peer's acknowledgement goes elsewhere.
  void peer_gone(NodeState& node, Step& step, Handle peer);

  // Whether the peer acknowledged a message at or after `since`.
  bool acknowledged_since(Handle peer, Time since) const;

  // Whether flush() would send anything.
  bool owes() const { return traffic_ && !traffic_->owed.empty(); }
  void flush(NodeState& node, Step& step);
  Time deadline() const;
  void advance(NodeState& node, Step& step);
  // Whether a consistent message with this key would be delivered here.
  bool delivers(NodeState& node, const Key& key) const;
  void count(NodeLoad& load) const;
  void mark_handles(Directory& directory) const;
  // Node::prefetch_tables.
  void prefetch() const {
    if (traffic_) prefetch_lines(traffic_.get(), sizeof(Traffic));
  }

 private:
  // Hop state of a peer without traffic is given back after this long.
  static constexpr Duration kHopIdle = std::chrono::seconds(30);
  // Times that a retransmission timeout doubles at most.
  static constexpr std::uint8_t kBackoffMax = 6;

  struct Unacknowledged {
    std::uint32_t hop_sequence = 0;
    std::uint8_t attempts = 1;
    bool acknowledged = false;
    Time sent_at{};
    Time deadline{};
    Time held_until = kNever;  // the hop held it before: no longer than until then
    Routed message;
  };
  // The copy of a message that the next hop holds until somebody is its root.
  struct Held {
    Handle peer = kNoHandle;
    Time ask_at{};  // whether it is done
    std::uint32_t hop_sequence = 0;
    Time until{};
    Routed message;
  };
  struct Hop {
    proximity::RttEstimator rtt;
    std::vector<Unacknowledged> waiting;  // ascending hop_sequence from `head`
    std::size_t head = 0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> acks;   // owed to this peer
    std::vector<std::pair<std::uint32_t, std::uint32_t>> holds;  // likewise: what is held here
    Time used_at{};
    Time acknowledged_at = Time::min();
    // Doublings of the timeout since the last sample, and when the last one was: an acknowledgement
    // that comes after its timeout gives no sample, so a timeout that is too short would stay so.
    std::uint8_t backoff = 0;
    Time backed_off_at{};
  };
  // An entry that a previous hop was told of.
  struct Help {
    Handle previous = kNoHandle;
    Handle next = kNoHandle;
    Time until{};  // not told again before
  };
  struct Traffic {
    std::unordered_map<std::uint32_t, Hop> hops;  // by handle
    std::vector<Handle> owed;                     // peers with acks to send
    std::uint64_t salt = 0;                       // of the identities; 0: not drawn yet
    IdentitySet seen, seen_before;  // what was delivered here: this period's and the last one's
    Time seen_rotates = kNever;
    std::vector<LocalRoute> kept;  // nobody may deliver them yet
    Time kept_until = kNever;      // the earliest of them
    Time retry_kept_at = kNever;
    std::vector<Held> held;
    Time ask_held_at = kNever;
    std::vector<Help> helped;  // those of late, at a place that both handles give
    std::size_t waiting = 0;
    Time retransmit_at = kNever;
    bool excused = false;  // retransmit_at was put off because the process had been held up
    Time sweep_at = kNever;
  };

  void process(NodeState& node, Step& step, LocalRoute&& work);
  // Whether this node, chosen as the root, has to wait with the delivery.
  bool must_wait(const NodeState& node, const Step& step, const Routed& message, Handle next) const;
  void keep(NodeState& node, Step& step, LocalRoute&& work);
  void check_kept(NodeState& node, Step& step);
  void take_over(LocalRoute& work);
  bool has_room(const NodeState& node) const;
  bool held_already(const LocalRoute& work);
  Handle choose_next(NodeState& node, const Routed& message, Handle hint) const;
  static Duration first_timeout(const NodeState& node, Handle next);
  // `held_until`: of a copy that a hop held before.
  void send_hop(NodeState& node, Step& step, Handle next, Routed&& message, std::uint8_t attempts,
                Time held_until = kNever);
  void deliver(NodeState& node, Step& step, Routed&& message, Handle previous);
  void finish_here(NodeState& node, Step& step, const RouteHeader& header, RouteResult result);
  void give_up(NodeState& node, Step& step, const RouteHeader& header, const char* reason);
  static void count_reroute(RouteHeader& header);
  bool delivered_here(const NodeState& node, const RouteHeader& header) const;
  bool is_duplicate(NodeState& node, Step& step, const RouteHeader& header);
  void help_previous(NodeState& node, Step& step, const RouteHeader& header, Handle previous,
                     Handle next);
  void witness(NodeState& node, Step& step, Handle from, Routed&& message);
  void call_witness(NodeState& node, Step& step, Handle silent, const Routed& message);
  void retransmit(NodeState& node, Step& step, Handle peer, Unacknowledged&& entry);
  static bool may_have_delivered(const NodeState& node, Handle peer, const Unacknowledged& entry);
  std::vector<Unacknowledged> take_held(Handle peer);
  // Forgets what was acknowledged or sent elsewhere, oldest first.
  static void trim(Hop& hop);
  void settle(NodeState& node, Step& step, Handle peer, Hop& hop, const HopAck& ack);
  void hold(NodeState& node, Step& step, Handle peer, Unacknowledged& entry);
  void drop_held(NodeState& node, Handle from, const HopAck& ack);
  void ask_held(NodeState& node, Step& step);
  void send_again(NodeState& node, Step& step, Held&& copy);
  void check_timeouts(NodeState& node, Step& step);
  void sweep(NodeState& node, Step& step);
  void owe_ack(Handle to, std::uint32_t hop_sequence, bool held);
  Traffic& traffic();

  std::uint32_t last_hop_sequence_ = 0;
  Box<Traffic> traffic_;
};

}  // namespace pastry
