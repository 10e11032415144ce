// Suspension: an active node without its leases, and how it comes back.
#include <algorithm>
#include <utility>

#include "pastry/core/leases.h"
#include "pastry/core/marks.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// Whether `from`, with that leaf set, lacks this node in it.
bool lacks(const NodeState& node, Handle from, std::span<const Handle> leaf_set) {
  if (std::find(leaf_set.begin(), leaf_set.end(), node.self) != leaf_set.end()) return false;
  const NodeId& self = node.self_id();
  const NodeId& other = node.id(from);
  const auto count = [&](auto&& nearer) {
    return std::count_if(leaf_set.begin(), leaf_set.end(),
                         [&](Handle peer) { return nearer(node.id(peer)); });
  };
  const auto half = node.tables.leaf_set.capacity() / 2;
  return count([&](const NodeId& id) { return strictly_between(id, other, self); }) < half ||
         count([&](const NodeId& id) { return strictly_between(id, self, other); }) < half;
}

}  // namespace

Duration Leases::round_period(const NodeState& node) {
  return std::max(node.config->lease, 2 * node.probe_time());
}

bool Leases::any_valid(Time now) const {
  return valid_until_[kLeft] > now || valid_until_[kRight] > now;
}

bool Leases::sound(const NodeState& node, Side side, Time now) const {
  if (valid_until_[side] <= now) return false;
  if (!unsettled_ || unsettled_->suspended_at == kNone) return true;
  return valid_until_[side] - node.config->lease >= unsettled_->suspended_at;
}

bool Leases::recovered(const NodeState& node, Time now) const {
  if (!held(node, now) || !validated()) return false;
  if (node.alone) return true;
  // Who acts on the keys of this node because it holds it for dead needs a lease from beyond it:
  // from one of its neighbours, or from one that died since. Who is guarded may have got such a
  // one, unless it knew this node as its neighbour until it died.
  const bool over = others_over_at() <= now;
  const bool known = neighbours_kept() && !was_absent(node, now);
  if (guards_anybody() ? over && known : over || unsettled_->all_aware) return true;
  note(*node.config, Mark::suspended_waits_for_others);
  return false;
}

// Who is not active itself does not know to whom those beyond it have granted leases.
void Leases::note_others(const NodeState& node, Time now, Side side, const Lease& lease) {
  Unsettled& u = *unsettled_;
  const Duration longest = node.config->granted_lease();
  const Duration others = lease.active ? std::min(lease.others, longest) : longest;
  // That one's lease is counted once. Who is active may have granted others more since.
  const bool counted = !lease.active && sound(node, side, now);
  u.others_until[side] = counted ? std::min(u.others_until[side], now + others) : now + others;
  const bool unasked = u.round_ends == kNever && u.asked_around == kNone;
  if (displaced(now) && unasked) u.next_round = now;
}

// Both neighbours take this node in, but one has granted others a lease in its place before.
bool Leases::displaced(Time now) const {
  return others_over_at() > now && others_over_at() != kNever;
}

Time Leases::others_over_at() const {
  return std::max(unsettled_->others_until[kLeft], unsettled_->others_until[kRight]);
}

void Leases::forget_past_others(Time now) {
  for (Time& until : unsettled_->others_until) {
    if (until <= now) until = kNone;
  }
}

void Leases::activated(Time now) {
  if (unsettled_ && unsettled_->suspended_at != kNone) absent_at_ = now;
  informed_since_ = now;
  resigned();
}

void Leases::absent(Time now) {
  informed_since_ = now;
  absent_at_ = now;
}

void Leases::resigned() {
  if (!unsettled_) return;
  Unsettled& u = *unsettled_;
  u.suspended_at = kNone;
  u.next_round = kNever;
  u.round_ends = kNever;
  u.unaware.clear();
  u.ask_unaware = kNever;
  u.asked_around = kNone;
  u.refused_at = kNone;
  u.lapsed = false;
  u.stale = false;
  u.all_aware = false;
  release_if_settled();
}

void Leases::suspended(NodeState& node, Step& step) {
  note(*node.config, Mark::suspended);
  Unsettled& u = unsettled();
  u.suspended_at = step.now;
  u.others_until = {kNever, kNever};
  u.lost_one = !u.lost.empty();
  look_around(node, step);
  if (node.suspended()) ask_again(node, step);
}

// With no lease left nobody may have kept this node's place: everybody near is asked.
void Leases::look_around(NodeState& node, Step& step) {
  Unsettled& u = *unsettled_;
  // Who still has one lease waits for the other, but not for ever: where each holds only that of
  // its left neighbour, each can grant only its right one another, all around the ring.
  const bool waits = any_valid(step.now) && step.now - u.suspended_at < node.config->lease;
  if (waits && !displaced(step.now)) {
    u.next_round = std::max(valid_until_[kLeft], valid_until_[kRight]);
    return;
  }
  if (!waits && (!u.lapsed || u.asked_around == kNone)) {
    u.lapsed = true;
    u.stale = true;
    // Others may have taken its place, and granted leases to whom it holds for dead.
    node.liveness.forget_leases_over_if([](Handle) { return true; });
    node.forwarder.hand_back(node);
  }
  start_round(node, step);
}

// The leaf set, and the way over others to the own place in the ring, in case that all of the leaf
// set is gone. Who is slow to answer, or was found dead by mistake before and is therefore waited
// for, does not hold the round up.
void Leases::start_round(NodeState& node, Step& step) {
  note(*node.config, Mark::suspended_asks_around);
  Unsettled& u = *unsettled_;
  u.round_ends = step.now + node.probe_time();
  u.next_round = step.now + round_period(node);
  u.all_aware = false;
  for (const Handle peer : node.tables.leaf_set.members()) {
    node.liveness.exchange(node, step, peer);
  }
  if (node.tables.leaf_set.empty()) node.liveness.fill_leaf_set(node, step);
  node.upkeep.seek_place(node, step);
  if (!node.liveness.probing_leaves()) end_round(node, step);
}

void Leases::probes_changed(NodeState& node, Step& step) {
  if (!unsettled_ || unsettled_->round_ends == kNever || node.liveness.probing_leaves()) return;
  if (unsettled_->unaware.empty()) end_round(node, step);
}

// Who holds this node for dead answers it before it has found out that it lives, and acts on its
// keys until then.
void Leases::place_answered(const NodeState& node, Time now, Handle from,
                            std::span<const Handle> leaf_set) {
  if (!unsettled_ || unsettled_->round_ends == kNever || !lacks(node, from, leaf_set)) return;
  note(*node.config, Mark::asked_around_again);
  Unsettled& u = *unsettled_;
  if (!holds(u.unaware, from)) u.unaware.push_back(from);
  u.ask_unaware = std::min(u.ask_unaware, now + node.config->probe_timeout / 4);
}

void Leases::ask_unaware(NodeState& node, Step& step) {
  unsettled_->ask_unaware = kNever;
  for (const Handle peer : std::exchange(unsettled_->unaware, {})) {
    if (node.tables.leaf_set.contains(peer)) node.liveness.exchange(node, step, peer);
  }
  probes_changed(node, step);
}

void Leases::end_round(NodeState& node, Step& step) {
  Unsettled& u = *unsettled_;
  u.all_aware = u.unaware.empty() && !u.lost_one && !node.liveness.probing_leaves();
  u.round_ends = kNever;
  u.unaware.clear();
  u.ask_unaware = kNever;
  u.stale = false;
  u.asked_around = step.now;
  ask_again(node, step);
  // Its neighbours may have left, or come back as newcomers, since it lost its leases.
  node.go_on_alone_if_so(step);
}

void Leases::ask_again(NodeState& node, Step& step) {
  for (const Side side : kSides) {
    const bool wanted = neighbour_[side] != kNoHandle && !sound(node, side, step.now);
    if (wanted && asked_at(side) != step.now) ask(node, step, side);
  }
}

// The last resort. Only where an active node refuses this one there is a ring to join again; and
// while many are suspended, each that gives its place up costs its neighbours theirs.
Time Leases::resign_at(const NodeState& node) const {
  return unsettled_->suspended_at + 8 * std::max(node.config->lease, node.config->gap_expiry);
}

void Leases::advance_suspension(NodeState& node, Step& step) {
  if (resign_at(node) <= step.now) {
    Unsettled& u = *unsettled_;
    const bool refused = u.refused_at != kNone && step.now - u.refused_at < node.config->lease;
    u.suspended_at = step.now;  // who knows nobody to join goes on waiting
    if (refused) return node.resign(step, "suspended for long, and refused by active neighbours");
  }
  // Each may end the suspension, and with it what is unsettled.
  if (unsettled_->next_round <= step.now) look_around(node, step);
  if (node.suspended() && unsettled_->ask_unaware <= step.now) ask_unaware(node, step);
  if (node.suspended() && unsettled_->round_ends <= step.now) end_round(node, step);
  if (node.suspended()) forget_past_others(step.now);
  node.activate_if_ready(step);
}

void Leases::stalled(NodeState& node, Step& step) {
  absent(step.now);
  for (const Side side : kSides) {
    if (neighbour_[side] != kNoHandle && asked_at(side) != kNone) ask(node, step, side);
  }
  if (!node.suspended()) return;
  unsettled_->asked_around = kNone;
  unsettled_->all_aware = false;
  unsettled_->next_round = step.now;
}

}  // namespace pastry
