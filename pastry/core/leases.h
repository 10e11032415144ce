// Leases from both immediate neighbours: what makes a node the only root of its keys [MSPastry
// §3.1; Haeberlen et al., TR05-456].
//
// A node may deliver consistent messages, admit joiners and own a gap only while it is active and
// holds a lease from its left and from its right neighbour. A grant means: the grantor takes the
// requester for its immediate neighbour on that side and will not act on its keys before the grant
// has run out. The requester counts from the moment at which it sent the request, the grantor from
// the moment at which it grants plus a margin, so that the requester's end comes first. Leases held
// and grants given are kept apart.
//
// One exchange per pair of neighbours and renewal: request, grant with request, grant. It replaces
// heartbeats: who stays silent is asked once more, then probed. A node renews its two leases half a
// period apart: it is dead for all when the first of them ends.
//
// guard: where an immediate neighbour died, its keys are left alone until the grant that it had has
//   run out; messages for them are held. The next neighbour learns of guards with its grants.
// suspended: an active node that lost a lease. Its own clock tells it at its next input, before it
//   acts, also after it was stopped for a while. It delivers nothing, keeps its place and its
//   tables, asks for its leases again, and goes on. If both had run out the world may have changed:
//   it first asks its whole leaf set, in rounds that end when all have answered or had the time to.
//   Where a neighbour granted others a lease in its place, these may act on its keys and not know
//   that it is back: it waits until all leaves have shown that they do, or those leases are over.
//   After such a round it may grant leases again, so that nodes that all lost theirs help each
//   other up; nobody has to be the first.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "pastry/core/box.h"
#include "pastry/core/config.h"
#include "pastry/core/message.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

// How a peer went out of the tables.
enum class Departure : unsigned char {
  died,           // silent: it may be alive and active until its leases end
  died_inactive,  // silent, and was not active as far as this node knows
  left,           // said so
  replaced,       // a higher incarnation of the same id is there
};

class Leases {
 public:
  // --- Inputs ---

  void receive(NodeState& node, Step& step, Handle from, const Lease& lease);
  // Any message of `from` arrived.
  void heard(Handle from);
  // The leaf set changed, or the node got its place.
  void neighbours_changed(NodeState& node, Step& step);
  // `peer` was just taken out of the leaf set.
  void departed(NodeState& node, Step& step, Handle peer, Departure how);
  // `peer` was, and died or was replaced.
  struct LeafPlace {
    bool right = false;  // on which side it stood
    bool whole = false;  // the leaf set held the whole ring
  };
  void leaf_lost(NodeState& node, Step& step, Handle peer, const LeafPlace& place);
  // `peer` is (again) in the leaf set, or a newer incarnation of it showed itself: no guard.
  void returned(NodeState& node, Step& step, Handle peer);
  // Nobody is left whose agreement could be waited for.
  void now_alone(NodeState& node, Step& step);
  // The first peer of a node that was alone: its lease on itself ends like any other.
  void no_longer_alone(const NodeState& node, Time now);
  // The node became active: nothing is left of a suspension.
  void activated(Time now);
  // It gave its place up.
  void resigned();
  // The node is suspended from now on.
  void suspended(NodeState& node, Step& step);
  // A probe ended while the node is suspended: perhaps the last one.
  void probes_changed(NodeState& node, Step& step);
  // A leaf that was held for dead came back.
  void mistaken(Time now) { informed_since_ = now; }
  // This node was stopped, or is doubted or held for dead by another.
  void absent(Time now);
  // `from` answered a probe with its leaf set.
  void place_answered(const NodeState& node, Time now, Handle from,
                      std::span<const Handle> leaf_set);
  // The node's timers come late: it was stopped, and the peers that it waited for were not silent.
  void stalled(NodeState& node, Step& step);

  // --- Views ---

  // Both leases are valid, or the node is alone and needs none.
  bool held(const NodeState& node, Time now) const;
  // As held(), and both were granted by the present neighbours: what a joiner needs.
  bool held_from_neighbours(const NodeState& node, Time now) const;
  // After a suspension: the whole leaf set was probed if that was needed.
  bool validated() const { return !unsettled_ || !unsettled_->stale; }
  // A suspended node may act again.
  bool recovered(const NodeState& node, Time now) const;
  // A suspension did not last until both leases were gone: nobody else needs to be told.
  bool neighbours_kept() const { return !unsettled_ || !unsettled_->lapsed; }
  // Whether the peer, if it lived, would stand between this node and a neighbour.
  bool nearer_than_neighbours(const NodeState& node, const NodeId& id) const;
  // A dead neighbour may still be the root of `key`.
  bool guarded(const NodeState& node, const Key& key, Time now) const;
  // Until when a guard stands on that side of the node; Time::min() if there is none. Not counted:
  // one that only waits for the next neighbour to agree, if the peer itself is (as a newer
  // incarnation) among those for whom that neighbour is asked; and a blind one beyond the
  // neighbour.
  Time guarded_until(const NodeState& node, bool right, std::span<const Handle> joiners) const;

  Time deadline(const NodeState& node) const;
  void advance(NodeState& node, Step& step);
  void mark_handles(Directory& directory) const;

 private:
  enum Side : unsigned char { kLeft, kRight };
  static constexpr std::array<Side, 2> kSides{kLeft, kRight};
  static constexpr Time kNone = Time::min();

  struct Guard {
    Handle peer = kNoHandle;
    Side side = kLeft;
    bool released = false;       // it is not active any more: ends with the next neighbour's grant
    bool granted = false;        // by this node: its end is known
    bool unagreed = false;       // no neighbour beyond it has granted since
    bool blind = false;          // who stood beyond it is not known: stays whatever others say
    Handle told_by = kNoHandle;  // the neighbour that named it; kNoHandle: found out here
    Time until{};
  };
  // Was guarded, and is back; others count on that this node lets its lease run out.
  struct Withheld {
    Handle peer = kNoHandle;
    Side side = kLeft;
    Time until{};
  };
  // Was a leaf a short time ago.
  struct Lost {
    Handle peer = kNoHandle;
    Side side = kLeft;
    bool whole = false;  // nobody stood beyond it who was not known
    Time until{};        // leases that it granted have run out
  };
  // What is under way; most nodes have nothing most of the time, and keep no memory for it.
  struct Unsettled {
    // By side: when the neighbour was asked, without an answer yet; nothing was heard of it since.
    std::array<Time, 2> asked_at{kNone, kNone};
    std::array<Time, 2> repeat_at{kNone, kNone};  // kNever: repeated already
    std::array<bool, 2> silent{};
    std::vector<Guard> guards;
    std::vector<Withheld> withheld;
    std::vector<Lost> lost;
    Time suspended_at = kNone;
    Time next_round = kNever;
    Time round_ends = kNever;   // latest end of the round under way
    Time asked_around = kNone;  // end of the last round
    // Answered in the round under way, but have not taken this node in yet; asked again then.
    std::vector<Handle> unaware;
    Time ask_unaware = kNever;
    Time refused_at = kNone;  // by an active node, which so proves that there is a ring
    bool lapsed = false;  // in this suspension both leases ran out, or one did for a lease's time,
    bool stale = false;   // and no round has ended since
    bool lost_one = false;   // a leaf died since it was suspended, or shortly before
    bool all_aware = false;  // in the last round all leaves answered, and list this node
    // By side, while suspended: until when others may hold leases of the neighbour in this node's
    // place; kNever if it has not granted.
    std::array<Time, 2> others_until{kNever, kNever};
  };

  static Side opposite(Side side) { return side == kLeft ? kRight : kLeft; }
  static std::uint32_t token(Time asked_at);
  // As messages tell it: in whole milliseconds, rounded up.
  static Duration rest_of(Time until, Time now);
  Handle find_neighbour(const NodeState& node, Side side) const;
  // Whether the peer stands between this node and the other one.
  static bool nearer(const NodeState& node, Side side, Handle peer, Handle than);
  Time renew_at(const NodeState& node, Side side) const;
  Time renew_at(const Config& config, Side side, Duration renewal) const;
  // How much earlier than it must a lease is renewed.
  Duration lead(const Config& config, Side side, Duration renewal) const;
  bool may_grant(const NodeState& node, Side side, Handle peer, Time now) const;
  bool somebody_between(const NodeState& node, Side side, Handle peer) const;
  bool wants(const NodeState& node, Side side, Time now) const;
  std::uint32_t note_request(const NodeState& node, Handle peer, Time now);
  void ask(NodeState& node, Step& step, Side side);
  std::uint32_t request_once(const NodeState& node, Side side, Time now);
  void repeated(Side side);
  void repeat_request(NodeState& node, Step& step, Side side);
  void answer(NodeState& node, Step& step, Handle from, const Lease& request);
  bool accept(NodeState& node, Step& step, Handle from, const Lease& lease);
  void adopt_guards(NodeState& node, Step& step, Side side, const Lease& lease);
  void rule_out(NodeState& node, Time now, Side side);
  bool guards_on(Side side) const;
  bool guards_anybody() const { return guards_on(kLeft) || guards_on(kRight); }
  void tell_guards(const NodeState& node, Time now, Handle to, Lease& lease) const;
  void withhold(const Guard& guard);
  bool withheld(Handle peer, Time now) const;
  bool guard_beyond(const NodeState& node, Time now, Side side, Handle peer) const;
  bool can_vouch(const NodeState& node, Time now) const;
  bool was_absent(const NodeState& node, Time now) const;
  bool add_guard(const Guard& guard);
  void add_blind_guard(const NodeState& node, const Lost& lost);
  bool out_of_reach(const NodeState& node, const Guard& guard) const;
  Time chain_end(const NodeState& node, Time now, Side side) const;
  void guard_chain(NodeState& node, Step& step, Side side, Handle lost);
  void expire_guards(NodeState& node, Step& step);
  template <typename Outdated>
  void drop_guards(NodeState& node, Step& step, Outdated&& outdated);
  void look_around(NodeState& node, Step& step);
  void start_round(NodeState& node, Step& step);
  void ask_unaware(NodeState& node, Step& step);
  void end_round(NodeState& node, Step& step);
  void ask_again(NodeState& node, Step& step);
  void advance_suspension(NodeState& node, Step& step);
  bool any_valid(Time now) const;
  // Valid, and not from before the suspension: a neighbour that granted it may have counted on its
  // end together with that of the one that was lost.
  bool sound(const NodeState& node, Side side, Time now) const;
  void note_others(const NodeState& node, Time now, Side side, const Lease& lease);
  bool displaced(Time now) const;
  Time others_over_at() const;
  void forget_past_others(Time now);
  static Duration round_period(const NodeState& node);
  Time resign_at(const NodeState& node) const;
  Time asked_at(Side side) const { return unsettled_ ? unsettled_->asked_at[side] : kNone; }
  void clear_request(Side side);
  Unsettled& unsettled();
  void release_if_settled();

  // By side: the neighbour asked and granted; until when its lease is valid here; until when the
  // one given to it is.
  std::array<Handle, 2> neighbour_{kNoHandle, kNoHandle};
  std::array<Time, 2> valid_until_{kNone, kNone};
  std::array<Time, 2> given_until_{kNone, kNone};
  // By side: until when those are that were given to former neighbours beyond the present one.
  std::array<Time, 2> former_until_{kNone, kNone};
  // Since when it has been active without a break and nobody near came back whom it held for dead:
  // what happened there may have passed it by.
  Time informed_since_ = kNone;
  // When it was stopped or held for dead last: others may have granted leases in its place.
  Time absent_at_ = kNone;
  Box<Unsettled> unsettled_;
};

}  // namespace pastry
