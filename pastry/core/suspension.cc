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

void Leases::activated(Time now) {
  informed_since_ = now;
  resigned();
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
  u.stale = false;
  release_if_settled();
}

void Leases::suspended(NodeState& node, Step& step) {
  note(*node.config, Mark::suspended);
  unsettled().suspended_at = step.now;
  look_around(node, step);
  if (node.suspended()) ask_again(node, step);
}

// With no lease left nobody may have kept this node's place: everybody near is asked.
void Leases::look_around(NodeState& node, Step& step) {
  Unsettled& u = *unsettled_;
  // Who still has one lease waits for the other, but not for ever: where each holds only that of
  // its left neighbour, each can grant only its right one another, all around the ring.
  if (any_valid(step.now) && step.now - u.suspended_at < node.config->lease) {
    u.next_round = std::max(valid_until_[kLeft], valid_until_[kRight]);
    return;
  }
  if (u.asked_around == kNone) {
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
    const bool wanted = neighbour_[side] != kNoHandle && valid_until_[side] <= step.now;
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
  node.activate_if_ready(step);
}

void Leases::stalled(NodeState& node, Step& step) {
  for (const Side side : kSides) {
    if (neighbour_[side] != kNoHandle && asked_at(side) != kNone) ask(node, step, side);
  }
  if (!node.suspended()) return;
  unsettled_->asked_around = kNone;
  unsettled_->next_round = step.now;
}

}  // namespace pastry
