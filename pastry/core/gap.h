// The helping side of joins: one batch of joiners at a time per gap.
//
// The gap between an active node and its successor belongs to that node. Concurrent joins into the
// same gap are what splits the published protocol's ring without any failure [LuPastry]; here the
// owner reserves the gap with its successor, which takes the joiners into its leaf set and so
// shrinks its coverage, then shrinks its own, then grants the batch. The gap stays closed until the
// whole batch is active or dead. Gaps are independent. See docs/routing.md.
#pragma once

#include <cstdint>
#include <vector>

#include "pastry/core/message.h"
#include "pastry/core/passed_joins.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;
struct NodeLoad;

class Gap {
 public:
  // --- gap_requests.cc ---

  // A request on its way to the gap's owner, or that reached it.
  void receive(NodeState& node, Step& step, Handle from, JoinRequest&& request);
  void receive(NodeState& node, Step& step, Handle from, GapReserve&& reserve);
  void receive(NodeState& node, Step& step, Handle from, const GapReserveReply& reply);
  void receive(NodeState& node, Step& step, Handle from, const GapRelease& release);

  // This node or a neighbour became active, or the leaf set changed.
  void pump(NodeState& node, Step& step);
  // A guard ended: perhaps before its time.
  void guards_changed(NodeState& node, Step& step);
  // A peer that was not active reported, or showed otherwise, that it is.
  void peer_active(NodeState& node, Step& step, Handle peer);
  void peer_gone(NodeState& node, Step& step, Handle peer);

  // What was passed on to a node that has answered since.
  void forget_answered(const NodeState& node);
  // Nothing is kept here any more.
  bool idle() const;
  Time deadline() const;
  void advance(NodeState& node, Step& step);
  void count(NodeLoad& load) const;
  void mark_handles(Directory& directory) const;

 private:
  enum class Phase : unsigned char { open, reserving, admitting };
  struct Member {
    JoinRequest request;
    bool done = false;
  };

  bool forget_older(NodeState& node, Step& step, Handle joiner);
  void take(NodeState& node, Step& step, JoinRequest&& request);
  void pass_on(NodeState& node, Step& step, JoinRequest&& request);
  void pass_on_again(NodeState& node, Step& step, Handle dead);
  bool start_batch(NodeState& node, Step& step);
  std::vector<Handle> batch_joiners() const;
  void send_reserve(NodeState& node, Step& step);
  void admit(NodeState& node, Step& step);
  void send_grant(NodeState& node, Step& step, const JoinRequest& request);
  void finish_if_done(NodeState& node, Step& step);
  void reopen(Time retry_at);
  void expire_batch(NodeState& node, Step& step);
  void expire_reservation(NodeState& node, Step& step);

  PassedJoins passed_;

  // As owner.
  Phase phase_ = Phase::open;
  bool waits_for_guard_ = false;
  std::uint8_t tries_ = 0;
  std::uint32_t batch_ = 0;
  Handle successor_ = kNoHandle;
  Time deadline_ = kNever;
  std::vector<JoinRequest> queue_;
  std::vector<Member> members_;
  std::vector<Handle> leaves_before_;  // the leaf set without the batch, while it is admitted

  // As successor.
  Handle reserved_by_ = kNoHandle;
  std::uint32_t reserved_batch_ = 0;
  Time reserved_until_ = kNever;
  std::vector<Handle> reserved_for_;
};

}  // namespace pastry
