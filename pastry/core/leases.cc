#include "pastry/core/leases.h"

#include <algorithm>

#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// Bound on guards: more than one side of the largest leaf set.
constexpr std::size_t kGuardsMax = 128;

// What the grantor adds to a lease: clocks that run at different speeds, up to 6 %.
Duration margin(const Config& config) { return config.lease / 16; }

bool strictly_between(const NodeId& id, const NodeId& low, const NodeId& high) {
  const Id place = clockwise_distance(low, id);
  const Id span = clockwise_distance(low, high);
  return place != Id() && (span == Id() || place < span);
}

}  // namespace

Leases::Trouble& Leases::trouble() {
  if (!trouble_) trouble_ = std::make_unique<Trouble>();
  return *trouble_;
}

void Leases::release_trouble() {
  if (trouble_ && trouble_->guards.empty() && trouble_->suspended_at == kNone) trouble_.reset();
}

// A request is told apart by the moment at which it was made: nothing else is kept of it.
std::uint32_t Leases::token(Time asked_at) {
  return static_cast<std::uint32_t>(asked_at.time_since_epoch().count() / 1000) | 1U;
}

// --- Neighbours ----------------------------------------------------------------------------------

Handle Leases::find_neighbour(const NodeState& node, Side side) const {
  const LeafSet& leaves = node.tables.leaf_set;
  Handle best = side == kLeft ? leaves.left_neighbour() : leaves.right_neighbour();
  if (!node.joiner) return best;
  // A joiner knows its neighbours from the batch before it could probe them.
  const auto distance = [&](Handle peer) {
    return side == kLeft ? clockwise_distance(node.id(peer), node.self_id())
                         : clockwise_distance(node.self_id(), node.id(peer));
  };
  for (const Handle peer : node.joiner->expected()) {
    if (best == kNoHandle || distance(peer) < distance(best)) best = peer;
  }
  return best;
}

void Leases::neighbours_changed(NodeState& node, Step& step) {
  if (!node.placed()) {
    neighbour_ = {kNoHandle, kNoHandle};
    asked_at_ = {kNone, kNone};
    return;
  }
  for (const Side side : kSides) {
    const Handle found = find_neighbour(node, side);
    if (found == neighbour_[side]) continue;
    neighbour_[side] = found;
    asked_at_[side] = kNone;
    given_until_[side] = kNone;
    // A lease of the former neighbour stays valid for who is active: that one shrank its coverage
    // for the newcomer. A joiner has nothing to keep.
    if (!node.active() && !node.suspended()) valid_until_[side] = kNone;
  }
  for (const Side side : kSides) {
    const bool due = renew_at(node, side) <= step.now;
    if (neighbour_[side] != kNoHandle && asked_at_[side] == kNone && due) ask(node, step, side);
  }
}

void Leases::no_longer_alone(const NodeState& node, Time now) {
  valid_until_ = {now + node.config->lease, now + node.config->lease};
}

// --- Asking and granting -------------------------------------------------------------------------

Time Leases::renew_at(const NodeState& node, Side side) const {
  if (valid_until_[side] == kNone) return kNone;
  const Config& config = *node.config;
  const Time at = valid_until_[side] - config.lease + config.lease_renewal();
  // The right one of a pair asks first; what it gets back holds the request of the left one.
  return side == kLeft ? at - config.probe_timeout / 3 : at;
}

bool Leases::wants(const NodeState& node, Side side, Time now) const {
  if (asked_at_[side] == kNone && valid_until_[side] == kNone) return true;
  if (asked_at_[side] != kNone) return now - asked_at_[side] >= node.config->probe_timeout / 2;
  return now >= renew_at(node, side) - node.config->lease_renewal() / 2;
}

// In a ring of two one request stands for both sides.
std::uint32_t Leases::note_request(Handle peer, Time now) {
  for (const Side side : kSides) {
    if (neighbour_[side] != peer) continue;
    asked_at_[side] = now;
    silent_[side] = true;
  }
  return token(now);
}

void Leases::ask(NodeState& node, Step& step, Side side) {
  const Handle peer = neighbour_[side];
  Lease request;
  request.request = note_request(peer, step.now);
  request.active = node.active();
  node.send(step, peer, std::move(request));
}

bool Leases::may_grant(const NodeState& node, Side side, Handle peer, Time now) const {
  if (node.active()) return true;
  // The members of a batch hold each other's places. Owner and successor hold leases from before.
  if (!node.suspended()) return node.joiner && node.joiner->in_batch(peer);
  // Who lost the other neighbour may be wrong about everything, unless it asked around since.
  if (valid_until_[opposite(side)] > now) return true;
  return trouble_ && trouble_->probed_at != kNone && now - trouble_->probed_at < node.config->lease;
}

void Leases::answer(NodeState& node, Step& step, Handle from, std::uint32_t request) {
  Lease reply;
  reply.grant = request;
  reply.active = node.active();
  bool ours = false;
  for (const Side side : kSides) {
    if (neighbour_[side] != from) continue;
    ours = true;
    if (!may_grant(node, side, from, step.now)) continue;
    given_until_[side] = step.now + node.config->lease + margin(*node.config);
    (side == kLeft ? reply.left : reply.right) = true;
    if (wants(node, side, step.now)) reply.request = token(step.now);
  }
  if (reply.request != 0) note_request(from, step.now);
  reply.guarded = guards_to_tell(step.now, reply.left, reply.right);
  node.send(step, from, std::move(reply));
  // The sender takes us for its neighbour, but somebody stands between, or we do not know it.
  if (!ours) node.liveness.correct(node, step, from);
}

void Leases::receive(NodeState& node, Step& step, Handle from, const Lease& lease) {
  node.liveness.set_active(node, step, from, lease.active);
  if (!node.placed()) return;
  const bool granted = lease.grant != 0 && accept(node, step, from, lease);
  if (lease.request != 0) answer(node, step, from, lease.request);
  if (granted) node.activate_if_ready(step);
}

bool Leases::accept(NodeState& node, Step& step, Handle from, const Lease& lease) {
  bool granted = false;
  for (const Side side : kSides) {
    if (neighbour_[side] != from || asked_at_[side] == kNone) continue;
    if (token(asked_at_[side]) != lease.grant) continue;
    // Who takes this node for its right neighbour is the left one of this node.
    if (!(side == kLeft ? lease.right : lease.left)) continue;
    valid_until_[side] = std::max(valid_until_[side], asked_at_[side] + node.config->lease);
    asked_at_[side] = kNone;
    granted = true;
    adopt_guards(node, step, side, lease);
  }
  return granted;
}

void Leases::heard(Handle from) {
  for (const Side side : kSides) {
    if (neighbour_[side] == from) silent_[side] = false;
  }
}

// --- Guards --------------------------------------------------------------------------------------

void Leases::departed(NodeState& node, Step& step, Handle peer, Departure how) {
  std::array<bool, 2> lost{};
  for (const Side side : kSides) {
    if (neighbour_[side] != peer) continue;
    lost[side] = true;
    if (how == Departure::replaced) continue;
    // Until the next neighbour agrees to be one, the lease of the last one is no licence for more
    // keys than it gave.
    Guard guard{peer, side, true, false, valid_until_[side]};
    const bool granted = given_until_[side] > step.now;
    if (granted && how != Departure::left) {
      guard.released = false;
      guard.granted = true;
      guard.until = std::max(given_until_[side], valid_until_[side]);
    } else if (how == Departure::died) {
      guard.released = false;
      guard.until = chain_end(node, step.now, side);
    }
    if (guard.until > step.now) add_guard(guard);
    guard_chain(node, step, side, peer);
  }
  neighbours_changed(node, step);
  for (const Side side : kSides) {
    if (lost[side] && neighbour_[side] != kNoHandle && asked_at_[side] == kNone) {
      ask(node, step, side);
    }
  }
}

// Who was granted nothing here may have got its lease from a neighbour lost before it, as late as
// that one's own lease ended. One such step is waited for: a longer chain of nodes that are alive
// and silent is a partition.
Time Leases::chain_end(const NodeState& node, Time now, Side side) const {
  Time end = now;
  if (trouble_) {
    for (const Guard& guard : trouble_->guards) {
      if (guard.granted && guard.side == side) end = std::max(end, guard.until);
    }
  }
  return end + node.config->lease + margin(*node.config);
}

// Those found dead before, between the lost neighbour and the next one: they may have got their
// last lease from the lost one when that was about to lose its own.
void Leases::guard_chain(NodeState& node, Step& step, Side side, Handle lost) {
  const Time until = chain_end(node, step.now, side);
  const Handle next = find_neighbour(node, side);
  const NodeId& end = next == kNoHandle ? node.self_id() : node.id(next);
  for (const Doubts::Death& death : node.liveness.remembered()) {
    if (death.peer == lost || death.left) continue;
    if (step.now - death.since >= node.config->failed_memory) continue;
    const NodeId& id = node.id(death.peer);
    const bool inside = side == kRight ? strictly_between(id, node.self_id(), end)
                                       : strictly_between(id, end, node.self_id());
    if (inside) add_guard({death.peer, side, false, false, until});
  }
}

bool Leases::add_guard(const Guard& guard) {
  std::vector<Guard>& guards = trouble().guards;
  const auto known = std::find_if(guards.begin(), guards.end(), [&](const Guard& other) {
    return other.peer == guard.peer && other.side == guard.side;
  });
  if (known != guards.end()) return false;  // the first one knew best
  if (guards.size() >= kGuardsMax) return false;
  guards.push_back(guard);
  return true;
}

std::vector<Lease::Guarded> Leases::guards_to_tell(Time now, bool left, bool right) const {
  std::vector<Lease::Guarded> told;
  if (!trouble_) return told;
  for (const Guard& guard : trouble_->guards) {
    if (told.size() == kGuardedMax) break;
    if (guard.released || guard.until <= now || !(guard.side == kLeft ? left : right)) continue;
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(guard.until - now);
    told.emplace_back(guard.peer, rest);
  }
  return told;
}

// The neighbour agreed: what only waited for that is over. A node between the two needs leases from
// both sides, so that the earlier end counts.
void Leases::adopt_guards(NodeState& node, Step& step, Side side, const Lease& lease) {
  drop_guards(node, step, [&](const Guard& guard) { return guard.released && guard.side == side; });
  const NodeId& end = node.id(neighbour_[side]);
  for (const auto& [peer, remaining] : lease.guarded) {
    const NodeId& id = node.id(peer);
    const bool inside = side == kRight ? strictly_between(id, node.self_id(), end)
                                       : strictly_between(id, end, node.self_id());
    if (!inside) continue;
    const Time until = step.now + std::min(remaining, node.config->lease * 4);
    if (add_guard({peer, side, false, false, until})) continue;
    for (Guard& guard : trouble().guards) {
      if (guard.peer == peer && guard.side == side) guard.until = std::min(guard.until, until);
    }
  }
}

template <typename Outdated>
void Leases::drop_guards(NodeState& node, Step& step, Outdated&& outdated) {
  if (!trouble_ || std::erase_if(trouble_->guards, outdated) == 0) return;
  release_trouble();
  node.forwarder.release_kept(node, step);
  if (node.gap) node.gap->pump(node, step);
}

void Leases::returned(NodeState& node, Step& step, Handle peer) {
  const NodeId& id = node.id(peer);
  drop_guards(node, step, [&](const Guard& guard) { return node.id(guard.peer) == id; });
}

bool Leases::guarded(const NodeState& node, const Key& key, Time now) const {
  if (!trouble_) return false;
  return std::any_of(trouble_->guards.begin(), trouble_->guards.end(), [&](const Guard& guard) {
    return guard.until > now && closer(key, node.id(guard.peer), node.self_id());
  });
}

Time Leases::guarded_until(bool right) const {
  Time until = kNone;
  if (!trouble_) return until;
  for (const Guard& guard : trouble_->guards) {
    if ((guard.side == kRight) == right) until = std::max(until, guard.until);
  }
  return until;
}

// --- Suspension ----------------------------------------------------------------------------------

bool Leases::held(const NodeState& node, Time now) const {
  if (node.alone && node.tables.leaf_set.empty()) return true;
  return valid_until_[kLeft] > now && valid_until_[kRight] > now;
}

bool Leases::held_from_neighbours(const NodeState& node, Time now) const {
  // A joiner's leases never outlive a change of its neighbours.
  return !node.tables.leaf_set.empty() && held(node, now) &&
         neighbour_[kLeft] == node.tables.leaf_set.left_neighbour() &&
         neighbour_[kRight] == node.tables.leaf_set.right_neighbour();
}

void Leases::activated() {
  if (!trouble_) return;
  trouble_->suspended_at = kNone;
  trouble_->next_round = kNever;
  trouble_->probed_at = kNone;
  trouble_->stale = false;
  trouble_->probing = false;
  release_trouble();
}

void Leases::suspended(NodeState& node, Step& step) {
  Trouble& t = trouble();
  t.suspended_at = step.now;
  t.next_round = step.now;
  check_suspension(node, step);
  for (const Side side : kSides) {
    if (neighbour_[side] != kNoHandle && valid_until_[side] <= step.now) ask(node, step, side);
  }
}

// With no lease left nobody may have kept this node's place: everybody near is asked.
void Leases::check_suspension(NodeState& node, Step& step) {
  Trouble& t = trouble();
  if (valid_until_[kLeft] > step.now || valid_until_[kRight] > step.now) return;
  if (t.probed_at == kNone) t.stale = true;
  if (t.next_round <= step.now && !t.probing) start_round(node, step);
}

void Leases::start_round(NodeState& node, Step& step) {
  Trouble& t = trouble();
  t.probing = true;
  t.next_round = step.now + node.config->lease;
  for (const Handle peer : node.tables.leaf_set.members()) {
    node.liveness.exchange(node, step, peer);
  }
  if (node.tables.leaf_set.empty()) node.liveness.fill_leaf_set(node, step);
  probes_changed(node, step);
}

void Leases::probes_changed(NodeState& node, Step& step) {
  if (!trouble_ || !trouble_->probing || node.liveness.probing_leaves()) return;
  trouble_->probing = false;
  trouble_->stale = false;
  trouble_->probed_at = step.now;
  for (const Side side : kSides) {
    const bool wanted = neighbour_[side] != kNoHandle && valid_until_[side] <= step.now;
    if (wanted && asked_at_[side] != step.now) ask(node, step, side);
  }
}

Time Leases::resign_at(const NodeState& node) const {
  // The last resort: while many are suspended, each that gives its place up costs its neighbours
  // theirs.
  return trouble_->suspended_at + 8 * std::max(node.config->lease, node.config->gap_expiry);
}

void Leases::stalled(NodeState& node, Step& step) {
  for (const Side side : kSides) {
    if (neighbour_[side] != kNoHandle && asked_at_[side] != kNone) ask(node, step, side);
  }
}

// --- Time ----------------------------------------------------------------------------------------

Time Leases::deadline(const NodeState& node) const {
  if (!node.placed()) return kNever;
  Time at = kNever;
  for (const Side side : kSides) {
    if (neighbour_[side] != kNoHandle) {
      const Time asked = asked_at_[side];
      at = std::min(at, asked != kNone ? asked + node.config->probe_timeout : renew_at(node, side));
    }
    if (node.active() && !node.alone) at = std::min(at, valid_until_[side]);
  }
  if (!trouble_) return at;
  for (const Guard& guard : trouble_->guards) at = std::min(at, guard.until);
  if (node.suspended()) at = std::min({at, trouble_->next_round, resign_at(node)});
  return at;
}

void Leases::advance(NodeState& node, Step& step) {
  if (!node.placed()) return;
  drop_guards(node, step, [&](const Guard& guard) { return guard.until <= step.now; });
  if (node.suspended()) {
    if (resign_at(node) <= step.now) {
      trouble_->suspended_at = step.now;
      return node.resign(step, "suspended for too long");
    }
    if (trouble_->next_round <= step.now) {
      trouble_->probing = false;
      check_suspension(node, step);
      // One lease still holds: looked at again when it may be gone.
      if (trouble_ && trouble_->next_round <= step.now) {
        trouble_->next_round = step.now + node.config->probe_timeout;
      }
      if (!node.suspended()) return;
    }
  }
  for (const Side side : kSides) {
    if (neighbour_[side] == kNoHandle) continue;
    const Time asked = asked_at_[side];
    if (asked == kNone) {
      if (renew_at(node, side) <= step.now) ask(node, step, side);
    } else if (asked + node.config->probe_timeout <= step.now) {
      if (silent_[side]) node.liveness.neighbour_silent(node, step, neighbour_[side]);
      // Finding it dead may have changed the neighbour, who was asked then.
      if (asked_at_[side] == asked && neighbour_[side] != kNoHandle) ask(node, step, side);
    }
  }
}

void Leases::mark_handles(Directory& directory) const {
  for (const Handle peer : neighbour_) {
    if (peer != kNoHandle) directory.mark(peer);
  }
  if (!trouble_) return;
  for (const Guard& guard : trouble_->guards) directory.mark(guard.peer);
}

}  // namespace pastry
