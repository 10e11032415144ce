// Guards: the keys of neighbours that died are left alone until their leases have run out.
#include <algorithm>

#include "pastry/core/leases.h"
#include "pastry/core/marks.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// Bound on guards: more than one side of the largest leaf set.
constexpr std::size_t kGuardsMax = 128;

}  // namespace

void Leases::departed(NodeState& node, Step& step, Handle peer, Departure how) {
  std::array<bool, 2> lost{};
  for (const Side side : kSides) {
    if (neighbour_[side] != peer) continue;
    lost[side] = true;
    // Until the next neighbour agrees to be one, the lease of the last one is no licence for more
    // keys than it gave: who is next in the leaf set need not be next in the ring.
    Guard guard{peer, side, true, false, true, false, kNoHandle, valid_until_[side]};
    const bool gone = how == Departure::left || how == Departure::replaced;
    const bool granted = given_until_[side] > step.now;
    if (granted && !gone) {
      guard.released = false;
      guard.granted = true;
      guard.until = std::max(given_until_[side], valid_until_[side]);
      // Others may have granted it more, meanwhile, in this node's place.
      const Time latest = step.now + node.config->granted_lease();
      if (was_absent(node, step.now)) guard.until = std::max(guard.until, latest);
    } else if (how == Departure::died) {
      guard.released = false;
      guard.until = chain_end(node, step.now, side);
    }
    if (guard.until > step.now) add_guard(guard);
    guard_chain(node, step, side, peer);
  }
  neighbours_changed(node, step);
  for (const Side side : kSides) {
    if (lost[side] && neighbour_[side] != kNoHandle && asked_at(side) == kNone) {
      ask(node, step, side);
    }
  }
}

// Where as many are lost as a side has members, those who stood beyond them may be known to nobody
// who is left, and act on the leases that the lost granted. Until these end the keys beyond are
// left alone, whoever comes back and whoever agrees to be the next neighbour: it may see no more.
void Leases::leaf_lost(NodeState& node, Step& step, Handle peer, const LeafPlace& place) {
  const Time until = step.now + node.config->granted_lease();
  unsettled().lost_one = true;
  std::vector<Lost>& lost = unsettled().lost;
  std::erase_if(lost, [&](const Lost& other) {
    return other.until <= step.now || node.id(other.peer) == node.id(peer);
  });
  if (lost.size() >= kGuardsMax) lost.erase(lost.begin());
  lost.push_back({peer, place.right ? kRight : kLeft, place.whole, until});
  const Lost& last = lost.back();
  int count = 0;
  bool whole = true;
  for (const Lost& other : lost) {
    // In a large ring with gaps the sides may overlap for a moment: then it only looks whole.
    whole = whole && other.whole;
    count += other.side == last.side ? 1 : 0;
  }
  if (whole || count < node.tables.leaf_set.capacity() / 2) return;
  add_blind_guard(node, last);
}

void Leases::add_blind_guard(const NodeState& node, const Lost& lost) {
  note(*node.config, Mark::whole_side_guarded);
  for (Guard& guard : unsettled().guards) {
    if (guard.peer != lost.peer || guard.side != lost.side) continue;
    guard.released = false;
    guard.granted = true;
    guard.blind = true;
    guard.told_by = kNoHandle;
    guard.until = std::max(guard.until, lost.until);
    return;
  }
  add_guard({lost.peer, lost.side, false, true, false, true, kNoHandle, lost.until});
}

// Who was granted nothing here may have got its lease from a neighbour lost before it, as late as
// that one's own lease ended. One such step is waited for: a longer chain of nodes that are alive
// and silent is a partition.
Time Leases::chain_end(const NodeState& node, Time now, Side side) const {
  Time end = now;
  if (unsettled_) {
    for (const Guard& guard : unsettled_->guards) {
      if (guard.granted && guard.side == side) end = std::max(end, guard.until);
    }
  }
  return end + node.config->granted_lease();
}

// Those found dead before, between the lost neighbour and the next one: they may have got their
// last lease from the lost one when that was about to lose its own.
void Leases::guard_chain(NodeState& node, Step& step, Side side, Handle lost) {
  const Time until = chain_end(node, step.now, side);
  const Handle next = find_neighbour(node, side);
  const NodeId& end = next == kNoHandle ? node.self_id() : node.id(next);
  for (const Doubts::Death& death : node.liveness.remembered()) {
    if (death.peer == lost || death.left || death.over) continue;
    // An older incarnation of it was gone before.
    if (node.id(death.peer) == node.id(lost) &&
        node.directory->incarnation(death.peer) < node.directory->incarnation(lost)) {
      continue;
    }
    if (step.now - death.since >= node.config->failed_memory) continue;
    const NodeId& id = node.id(death.peer);
    const bool inside = side == kRight ? strictly_between(id, node.self_id(), end)
                                       : strictly_between(id, end, node.self_id());
    if (inside) add_guard({death.peer, side, false, false, false, false, kNoHandle, until});
  }
}

bool Leases::add_guard(const Guard& guard) {
  std::vector<Guard>& guards = unsettled().guards;
  const auto known = std::find_if(guards.begin(), guards.end(), [&](const Guard& other) {
    return other.peer == guard.peer && other.side == guard.side;
  });
  if (known != guards.end()) return false;  // the first one knew best
  if (guards.size() >= kGuardsMax) return false;
  guards.push_back(guard);
  return true;
}

// What is known only from the receiver is not told back to it: the two would keep it from each
// other's word until its end, although neither knows of a lease.
void Leases::tell_guards(const NodeState& node, Time now, Handle to, Lease& lease) const {
  lease.vouches = can_vouch(node, now);
  if (!unsettled_) return;
  if (unsettled_->guards.size() >= kGuardsMax) lease.vouches = false;  // some may be missing
  // Beyond as many as a side of its leaf set holds it knew nobody.
  auto in_sight = node.tables.leaf_set.capacity() / 2;
  for (const Guard& guard : unsettled_->guards) {
    const bool wanted = guard.side == kLeft ? lease.left : lease.right;
    if (!wanted || guard.released || guard.until <= now) continue;
    if (guard.blind || --in_sight == 0) lease.vouches = false;
    if (guard.told_by == to) continue;
    if (lease.guarded.size() == kGuardedMax) {
      lease.vouches = false;
      return;
    }
    lease.guarded.emplace_back(guard.peer, rest_of(guard.until, now));
  }
}

// Who got a lease from this side got it from this node, or from one that this node granted a lease
// not longer ago than two: both are guarded here if they were found dead. Who was not active so
// long, or stopped or was cut off in between, may have missed it.
bool Leases::can_vouch(const NodeState& node, Time now) const {
  return node.active() && now - informed_since_ >= 2 * node.config->granted_lease();
}

bool Leases::was_absent(const NodeState& node, Time now) const {
  return absent_at_ != kNone && now - absent_at_ < 2 * node.config->granted_lease();
}

// The neighbour agreed: what only waited for that is over. A node between the two needs leases from
// both sides, so that the earlier end counts: whom the neighbour does not name holds nothing from
// its side, and whom this node did not grant anything and only suspects to have got something from
// others need not be waited for.
void Leases::adopt_guards(NodeState& node, Step& step, Side side, const Lease& lease) {
  if (unsettled_) {
    for (Guard& guard : unsettled_->guards) {
      if (guard.side == side) guard.unagreed = false;
    }
  }
  drop_guards(node, step, [&](const Guard& guard) { return guard.released && guard.side == side; });
  std::vector<Handle> named;
  for (const auto& [peer, remaining] : lease.guarded) {
    const bool inside = nearer(node, side, peer, neighbour_[side]);
    if (!inside || node.liveness.leases_over(peer)) continue;
    named.push_back(peer);
    const Time until = step.now + std::min(remaining, node.config->lease * 4);
    if (add_guard({peer, side, false, false, false, false, neighbour_[side], until})) continue;
    for (Guard& guard : unsettled().guards) {
      if (guard.peer != peer || guard.side != side || guard.blind) continue;
      guard.until = std::min(guard.until, until);
    }
  }
  if (!lease.vouches) {
    if (guards_on(side)) note(*node.config, Mark::silence_does_not_count);
    return;
  }
  drop_guards(node, step, [&](const Guard& guard) {
    return guard.side == side && !guard.granted && !guard.released && !holds(named, guard.peer);
  });
  if (lease.guarded.empty()) rule_out(node, step.now, side);
}

// Who is dead and stands between two neighbours that just agreed to be neighbours, where both can
// vouch and neither guards anybody, holds no lease and can get none while these two stand there. If
// one of them dies it need not be waited for.
void Leases::rule_out(NodeState& node, Time now, Side side) {
  if (!can_vouch(node, now) || guards_on(side)) return;
  // Younger deaths are not told apart from what others have not yet heard of.
  const Time begin = now - node.config->failed_memory;
  const Time end = now - node.config->lease;
  node.liveness.set_leases_over_if(
      begin, end, [&](Handle peer) { return nearer(node, side, peer, neighbour_[side]); });
}

bool Leases::guards_on(Side side) const {
  return unsettled_ &&
         std::any_of(unsettled_->guards.begin(), unsettled_->guards.end(),
                     [side](const Guard& guard) { return guard.side == side && !guard.released; });
}

// Who comes back nearer than one that is guarded would bound the keys of neither: the guarded one
// takes this node for its neighbour until its leases have run out. So does one that was guarded
// until now.
bool Leases::guard_beyond(const NodeState& node, Time now, Side side, Handle peer) const {
  if (!unsettled_ || given_until_[side] != kNone) return false;
  const auto beyond = [&](const auto& other) {
    return other.side == side && other.until > now && nearer(node, side, peer, other.peer);
  };
  const std::vector<Guard>& guards = unsettled_->guards;
  const std::vector<Withheld>& withheld = unsettled_->withheld;
  return std::any_of(withheld.begin(), withheld.end(), beyond) ||
         std::any_of(guards.begin(), guards.end(),
                     [&](const Guard& guard) { return !guard.released && beyond(guard); });
}

template <typename Outdated>
void Leases::drop_guards(NodeState& node, Step& step, Outdated&& outdated) {
  if (!unsettled_ || std::erase_if(unsettled_->guards, outdated) == 0) return;
  release_if_settled();
  node.forwarder.release_kept(node, step);
  if (node.gap) node.gap->guards_changed(node, step);
}

void Leases::expire_guards(NodeState& node, Step& step) {
  if (!unsettled_) return;
  std::erase_if(unsettled_->lost, [&](const Lost& lost) { return lost.until <= step.now; });
  std::erase_if(unsettled_->withheld,
                [&](const Withheld& other) { return other.until <= step.now; });
  for (const Guard& guard : unsettled_->guards) {
    const bool over = !guard.released && guard.until <= step.now;
    // Who lost both its own leases cannot know who took its place since, nor whom a newcomer before
    // the guarded one granted a lease.
    const bool hidden = nearer(node, guard.side, neighbour_[guard.side], guard.peer);
    if (!over || hidden) continue;
    if (node.active() || any_valid(step.now)) node.liveness.set_leases_over(guard.peer);
  }
  drop_guards(node, step, [&](const Guard& guard) { return guard.until <= step.now; });
}

void Leases::now_alone(NodeState& node, Step& step) {
  drop_guards(node, step, [](const Guard& guard) { return guard.released; });
}

// Others count on the end of a guard, whoever granted the lease: two that took the peer for dead
// share the earlier of their ends. Before that this node must not renew what it granted. Who was
// suspended at that end needs two new leases, and has them when both know that it is back.
void Leases::withhold(const Guard& guard) {
  if (guard.released) return;
  std::vector<Withheld>& list = unsettled().withheld;
  const auto known = std::find_if(list.begin(), list.end(), [&](const Withheld& other) {
    return other.peer == guard.peer && other.side == guard.side;
  });
  if (known != list.end()) {
    known->until = std::max(known->until, guard.until);
  } else if (list.size() < kGuardsMax) {
    list.push_back({guard.peer, guard.side, guard.until});
  }
}

bool Leases::withheld(Handle peer, Time now) const {
  return unsettled_ && std::any_of(unsettled_->withheld.begin(), unsettled_->withheld.end(),
                                   [&](const Withheld& other) {
                                     return other.peer == peer && other.until > now;
                                   });
}

// Who is back in the leaf set bounds this node's keys itself. A newer incarnation that is not shows
// only that nobody acts on these keys any more, not that the next neighbour agrees.
void Leases::returned(NodeState& node, Step& step, Handle peer) {
  if (!unsettled_) return;
  const NodeId& id = node.id(peer);
  const bool bounds = node.tables.leaf_set.find(id) != kNoHandle;
  for (const Guard& guard : unsettled_->guards) {
    if (guard.peer == peer && bounds) withhold(guard);
  }
  // A guard of the newer one itself, which was found dead since, stays.
  const auto concerned = [&](const Guard& guard) {
    return node.id(guard.peer) == id && (bounds || guard.peer != peer);
  };
  for (Guard& guard : unsettled_->guards) {
    if (bounds || guard.blind || !guard.unagreed || !concerned(guard)) continue;
    guard.released = true;
    guard.granted = false;
    guard.until = valid_until_[guard.side];
  }
  drop_guards(node, step, [&](const Guard& guard) {
    if (!concerned(guard)) return false;
    return bounds || guard.until <= step.now || (!guard.released && !guard.blind);
  });
}

bool Leases::guarded(const NodeState& node, const Key& key, Time now) const {
  if (!unsettled_) return false;
  return std::any_of(unsettled_->guards.begin(), unsettled_->guards.end(), [&](const Guard& guard) {
    return guard.until > now && closer(key, node.id(guard.peer), node.self_id());
  });
}

Time Leases::guarded_until(const NodeState& node, bool right,
                           std::span<const Handle> joiners) const {
  Time until = kNone;
  if (!unsettled_) return until;
  for (const Guard& guard : unsettled_->guards) {
    const bool back =
        guard.released && std::any_of(joiners.begin(), joiners.end(), [&](Handle peer) {
          return node.id(peer) == node.id(guard.peer);
        });
    if ((guard.side == kRight) != right || back || out_of_reach(node, guard)) continue;
    until = std::max(until, guard.until);
  }
  return until;
}

// Somebody nearer bounds this node's keys and its gap by now.
bool Leases::out_of_reach(const NodeState& node, const Guard& guard) const {
  const Handle next = neighbour_[guard.side];
  return guard.blind && next != kNoHandle && !nearer(node, guard.side, guard.peer, next);
}

}  // namespace pastry
