#include "pastry/core/gap.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

// --- The owner ---

void Gap::pump(NodeState& node, Step& step) {
  if (phase_ != Phase::open || queue_.empty()) return;
  if (!node.active() && !PASTRY_BUG(inactive_owner_grants)) return;
  const bool told_to_wait = deadline_ != kNever && deadline_ > step.now;  // by successor or guard
  if (told_to_wait) return;
  if (start_batch(node, step)) return;
  deadline_ = kNever;
}

void Gap::guards_changed(NodeState& node, Step& step) {
  if (waits_for_guard_) reopen(kNever);
  pump(node, step);
}

bool Gap::start_batch(NodeState& node, Step& step) {
  waits_for_guard_ = false;  // a guard that ends from now on is no reason to drop the batch
  successor_ = node.tables.leaf_set.right_neighbour();
  // While a dead neighbour may still be active in this gap, or a whole side of the leaf set is
  // gone, it is not known who else is in it.
  std::vector<Handle> waiting;
  for (const JoinRequest& request : queue_) waiting.push_back(request.joiner);
  const Time guarded = node.leases.guarded_until(node, true, waiting);
  if (guarded > step.now || (successor_ == kNoHandle && !node.tables.leaf_set.empty())) {
    reopen(std::max(guarded, step.now + node.config->probe_timeout));
    waits_for_guard_ = true;
    return true;
  }
  const NodeId end = successor_ == kNoHandle ? node.self_id() : node.id(successor_);
  std::vector<JoinRequest> here;
  std::vector<JoinRequest> elsewhere;
  for (JoinRequest& request : queue_) {
    const bool ours = strictly_between(node.id(request.joiner), node.self_id(), end);
    (ours ? here : elsewhere).push_back(std::move(request));
  }
  queue_.clear();
  if (!elsewhere.empty()) note(*node.config, Mark::joiners_of_other_gap);
  for (JoinRequest& request : elsewhere) pass_on(node, step, std::move(request));
  if (here.empty()) return false;
  const std::size_t batch_size =
      PASTRY_BUG(batch_unbounded) ? here.size() : std::min(here.size(), node.config->gap_batch);
  std::move(here.begin() + static_cast<std::ptrdiff_t>(batch_size), here.end(),
            std::back_inserter(queue_));
  if (here.size() > batch_size) note(*node.config, Mark::batch_full);
  if (batch_size > 1) note(*node.config, Mark::batch_of_several);
  here.resize(batch_size);
  if (successor_ != kNoHandle && node.liveness.inactive(successor_)) {
    note(*node.config, Mark::successor_waited_for);
    // A new owner waits until its successor is active; its report pumps again.
    std::move(here.begin(), here.end(), std::back_inserter(queue_));
    reopen(step.now + node.config->probe_timeout);
    return true;
  }
  std::sort(here.begin(), here.end(), [&](const JoinRequest& a, const JoinRequest& b) {
    return clockwise_distance(node.self_id(), node.id(a.joiner)) <
           clockwise_distance(node.self_id(), node.id(b.joiner));
  });
  members_.clear();
  for (JoinRequest& request : here) members_.push_back({std::move(request), false});
  // Never the same twice: this object lives only while it helps.
  batch_ = static_cast<std::uint32_t>(node.operations.next_id());
  tries_ = 0;
  if (successor_ == kNoHandle || PASTRY_BUG(gap_not_reserved)) {
    admit(node, step);
  } else {
    phase_ = Phase::reserving;
    send_reserve(node, step);
  }
  return true;
}

std::vector<Handle> Gap::batch_joiners() const {
  std::vector<Handle> joiners;
  for (const Member& member : members_) joiners.push_back(member.request.joiner);
  return joiners;
}

void Gap::send_reserve(NodeState& node, Step& step) {
  GapReserve reserve{batch_, batch_joiners()};
  deadline_ = step.now + node.config->probe_timeout;
  node.send(step, successor_, std::move(reserve));
}

void Gap::receive(NodeState& node, Step& step, Handle from, const GapReserveReply& reply) {
  if (phase_ != Phase::reserving || from != successor_ || reply.batch != batch_) return;
  // The neighbour, or this node's own right to speak for the gap, may have changed meanwhile.
  const bool still_ours = node.active() && node.tables.leaf_set.right_neighbour() == successor_ &&
                          node.leases.guarded_until(node, true, batch_joiners()) <= step.now;
  if (reply.granted && still_ours) return admit(node, step);
  note(*node.config, Mark::reservation_refused);
  for (Member& member : members_) queue_.push_back(std::move(member.request));
  members_.clear();
  if (reply.predecessor != kNoHandle) {
    note(*node.config, Mark::nearer_neighbour_told);
    node.liveness.consider_leaf(node, step, reply.predecessor);
    reopen(step.now + node.random.between(node.config->rto_min, node.config->rto_min * 4));
  } else {
    reopen(step.now + node.random.jittered(node.config->probe_timeout, 50));
  }
}

void Gap::admit(NodeState& node, Step& step) {
  phase_ = Phase::admitting;
  deadline_ = step.now + node.config->gap_expiry;
  tries_ = 0;
  leaves_before_ = node.tables.leaf_set.members();
  // Every joiner that the successor knows of is known here before the first one hears of it.
  for (const Member& member : members_) {
    node.liveness.set_active(node, step, member.request.joiner, false);
    if (PASTRY_BUG(owner_does_not_shrink)) continue;
    node.insert_leaf(step, member.request.joiner);
  }
  for (const Member& member : members_) send_grant(node, step, member.request);
}

void Gap::send_grant(NodeState& node, Step& step, const JoinRequest& request) {
  JoinGrant grant;
  grant.attempt = request.attempt;
  grant.batch = batch_;
  grant.batch_joiners = batch_joiners();
  if (std::find(grant.batch_joiners.begin(), grant.batch_joiners.end(), request.joiner) ==
      grant.batch_joiners.end()) {
    grant.batch_joiners = {request.joiner};  // admitted before: no member of this batch
  }
  grant.successor = successor_;
  // Whom the batch pushed out of this leaf set may belong into that of a joiner.
  grant.leaf_set = leaves_before_.empty() ? node.tables.leaf_set.members() : leaves_before_;
  if (PASTRY_BUG(grant_leaves_unbounded)) {
    for (const Handle leaf : node.tables.leaf_set.members()) grant.leaf_set.push_back(leaf);
  }
  grant.rows = request.rows;
  node.send(step, request.joiner, std::move(grant));
}

void Gap::peer_active(NodeState& node, Step& step, Handle peer) {
  std::erase(reserved_for_, peer);
  if (reserved_for_.empty()) {
    reserved_by_ = kNoHandle;
    reserved_until_ = kNever;
  }
  for (Member& member : members_) {
    if (member.request.joiner == peer) member.done = true;
  }
  if (phase_ == Phase::open && peer == successor_) deadline_ = kNever;
  finish_if_done(node, step);
}

void Gap::finish_if_done(NodeState& node, Step& step) {
  if (phase_ == Phase::admitting &&
      std::all_of(members_.begin(), members_.end(), [](const Member& m) { return m.done; })) {
    if (successor_ != kNoHandle) node.send(step, successor_, GapRelease{batch_});
    members_.clear();
    leaves_before_.clear();
    reopen(kNever);
  }
  pump(node, step);
}

void Gap::reopen(Time retry_at) {
  phase_ = Phase::open;
  waits_for_guard_ = false;
  deadline_ = retry_at;
}

void Gap::peer_gone(NodeState& node, Step& step, Handle peer) {
  std::erase_if(queue_, [peer](const JoinRequest& request) { return request.joiner == peer; });
  std::erase(reserved_for_, peer);
  passed_.drop(peer);
  for (Member& member : members_) {
    if (member.request.joiner != peer) continue;
    note(*node.config, Mark::batch_member_gone);
    member.done = true;
  }
  if (phase_ == Phase::reserving && peer == successor_) {
    note(*node.config, Mark::successor_gone_while_reserving);
    for (Member& member : members_) {
      if (!member.done) queue_.push_back(std::move(member.request));
    }
    members_.clear();
    reopen(kNever);
  }
  finish_if_done(node, step);
  pass_on_again(node, step, peer);
}

void Gap::expire_batch(NodeState& node, Step& step) {
  if (phase_ == Phase::open) {
    deadline_ = kNever;
    pump(node, step);
  } else if (phase_ == Phase::reserving) {
    if (PASTRY_BUG(reservation_never_repeated)) {
      deadline_ = kNever;
    } else if (++tries_ <= node.config->probe_retries) {
      note(*node.config, Mark::reservation_repeated);
      send_reserve(node, step);
    } else {
      note(*node.config, Mark::reservation_given_up);
      node.liveness.check(node, step, successor_);
      for (Member& member : members_) queue_.push_back(std::move(member.request));
      members_.clear();
      reopen(step.now + node.config->probe_timeout);
    }
  } else {
    note(*node.config, Mark::batch_expired);
    // Silent joiners: those alive get their grant again, the dead ones leave through the probe.
    if (PASTRY_BUG(batch_never_expires)) {
      deadline_ = kNever;
      return;
    }
    deadline_ = step.now + node.config->gap_expiry;
    std::vector<JoinRequest> silent;
    for (const Member& member : members_) {
      if (!member.done) silent.push_back(member.request);
    }
    for (const JoinRequest& request : silent) {
      send_grant(node, step, request);
      node.liveness.check(node, step, request.joiner);
    }
  }
}

// --- Time ---

void Gap::forget_answered(const NodeState& node) { passed_.forget_answered(node.liveness); }

bool Gap::idle() const {
  return phase_ == Phase::open && queue_.empty() && members_.empty() && reserved_for_.empty() &&
         passed_.empty();
}

Time Gap::deadline() const { return std::min(deadline_, reserved_until_); }

void Gap::advance(NodeState& node, Step& step) {
  if (deadline_ <= step.now) expire_batch(node, step);
  if (reserved_until_ <= step.now) expire_reservation(node, step);
}

void Gap::count(NodeLoad& load) const {
  load.joiners = queue_.size() + members_.size();
  load.reserved = reserved_for_.size();
}

void Gap::mark_handles(Directory& directory) const {
  const auto mark = [&](const JoinRequest& request) {
    directory.mark(request.joiner);
    for (const Row& row : request.rows) {
      for (const Handle peer : row.entries) directory.mark(peer);
    }
  };
  for (const JoinRequest& request : queue_) mark(request);
  for (const Member& member : members_) mark(member.request);
  passed_.mark_handles(directory);
  for (const Handle joiner : reserved_for_) directory.mark(joiner);
  for (const Handle leaf : leaves_before_) directory.mark(leaf);
  for (const Handle peer : {successor_, reserved_by_}) {
    if (peer != kNoHandle && directory.valid(peer)) directory.mark(peer);
  }
}

}  // namespace pastry
