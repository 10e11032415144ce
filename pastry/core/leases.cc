#include "pastry/core/leases.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// How exactly the two leases are kept apart, and how far a renewal is moved at a time: so many
// parts of the period.
constexpr int kApartParts = 16;
constexpr int kLeadParts = 8;

}  // namespace

Leases::Unsettled& Leases::unsettled() {
  if (!unsettled_) unsettled_ = std::make_unique<Unsettled>();
  return *unsettled_;
}

void Leases::release_if_settled() {
  if (!unsettled_) return;
  const Unsettled& u = *unsettled_;
  const bool asked = u.asked_at[kLeft] != kNone || u.asked_at[kRight] != kNone;
  const bool settled =
      u.guards.empty() && u.withheld.empty() && u.lost.empty() && u.suspended_at == kNone;
  if (!asked && settled) unsettled_.reset();
}

void Leases::clear_request(Side side) {
  if (unsettled_) unsettled_->asked_at[side] = kNone;
}

// A request is told apart by the moment at which it was made: nothing else is kept of it.
std::uint32_t Leases::token(Time asked_at) {
  return static_cast<std::uint32_t>(asked_at.time_since_epoch().count() / 1000) | 1U;
}

Duration Leases::rest_of(Time until, Time now) {
  return until > now ? std::chrono::ceil<std::chrono::milliseconds>(until - now) : Duration{};
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
    for (const Side side : kSides) clear_request(side);
    return release_if_settled();
  }
  for (const Side side : kSides) {
    const Handle found = find_neighbour(node, side);
    if (found == neighbour_[side]) continue;
    const Handle former = neighbour_[side];
    if (nearer(node, side, found, former)) {
      former_until_[side] = std::max(former_until_[side], given_until_[side]);
      // The newcomer may grant leases beyond it to whom this node holds for dead. Who stands before
      // it needs one of this node.
      node.liveness.forget_leases_over_if([&](Handle peer) {
        return nearer(node, side, peer, former) && !nearer(node, side, peer, found);
      });
    }
    neighbour_[side] = found;
    clear_request(side);
    if (unsettled_) unsettled_->others_until[side] = kNever;
    given_until_[side] = kNone;
    // A lease of the former neighbour stays valid for who is active: that one shrank its coverage
    // for the newcomer. A joiner has nothing to keep.
    if (!node.active() && !node.suspended()) valid_until_[side] = kNone;
  }
  for (const Side side : kSides) {
    const bool due = renew_at(node, side) <= step.now;
    if (neighbour_[side] != kNoHandle && asked_at(side) == kNone && due) ask(node, step, side);
  }
  release_if_settled();
}

bool Leases::nearer(const NodeState& node, Side side, Handle peer, Handle than) {
  if (peer == kNoHandle || than == kNoHandle) return false;
  const NodeId& id = node.id(peer);
  return side == kRight ? strictly_between(id, node.self_id(), node.id(than))
                        : strictly_between(id, node.id(than), node.self_id());
}

void Leases::no_longer_alone(const NodeState& node, Time now) {
  valid_until_ = {now + node.config->lease, now + node.config->lease};
  informed_since_ = now;
}

// --- Asking and granting -------------------------------------------------------------------------

Time Leases::renew_at(const NodeState& node, Side side) const {
  return renew_at(*node.config, side, node.config->lease_renewal());
}

// `renewal`: config.lease_renewal(), for who asks for both sides.
Time Leases::renew_at(const Config& config, Side side, Duration renewal) const {
  if (valid_until_[side] == kNone) return kNone;
  const Time at = valid_until_[side] - config.lease + renewal;
  // The right one of a pair asks first, unless the left one has a reason to; what it gets back
  // holds the request of the other one.
  const Duration earlier = lead(config, side, renewal);
  const bool first = side == kLeft || earlier > Duration::zero();
  return first ? at - config.probe_timeout / 3 - earlier : at;
}

// The keys of a dead node wait for the earlier end of its two leases: least where these are renewed
// half a period apart. The one that comes too long after the other is renewed a little earlier than
// it must be; small differences stay, or what one node does would move all around the ring.
Duration Leases::lead(const Config& config, Side side, Duration renewal) const {
  const bool pair = neighbour_[kLeft] == neighbour_[kRight];
  if (pair || valid_until_[opposite(side)] == kNone) return Duration::zero();
  const Duration period = renewal - config.probe_timeout / 3;
  if (period <= Duration::zero()) return Duration::zero();  // always due
  Duration behind = (valid_until_[side] - valid_until_[opposite(side)]) % period;
  if (behind < Duration::zero()) behind += period;
  const Duration latest = period / 2 + period / kApartParts;
  return std::clamp(behind - latest, Duration::zero(), period / kLeadParts);
}

bool Leases::wants(const NodeState& node, Side side, Time now) const {
  const Time asked = asked_at(side);
  if (asked == kNone && valid_until_[side] == kNone) return true;
  if (asked != kNone) return now - asked >= node.config->probe_timeout / 2;
  return now >= renew_at(node, side) - node.config->lease_renewal() / 2;
}

// In a ring of two one request stands for both sides.
std::uint32_t Leases::note_request(const NodeState& node, Handle peer, Time now) {
  for (const Side side : kSides) {
    if (neighbour_[side] != peer) continue;
    unsettled().asked_at[side] = now;
    unsettled().repeat_at[side] = now + node.config->probe_timeout / 2;
    unsettled().silent[side] = true;
  }
  return token(now);
}

void Leases::ask(NodeState& node, Step& step, Side side) {
  const Handle peer = neighbour_[side];
  Lease request;
  request.request = note_request(node, peer, step.now);
  request.active = node.active();
  node.send(step, peer, std::move(request));
}

// One lost message is no reason to doubt a neighbour, which many would have to examine. The lease
// counts from the first request.
void Leases::repeat_request(NodeState& node, Step& step, Side side) {
  Lease request;
  request.request = token(asked_at(side));
  request.active = node.active();
  note(*node.config, Mark::lease_request_repeated);
  repeated(side);
  node.send(step, neighbour_[side], std::move(request));
}

void Leases::repeated(Side side) {
  for (const Side other : kSides) {
    if (neighbour_[other] == neighbour_[side]) unsettled_->repeat_at[other] = kNever;
  }
}

// A new request in place of one that is under way would void its answer: two that are farther apart
// than the pause between their requests would never get one. So the same is repeated, once.
std::uint32_t Leases::request_once(const NodeState& node, Side side, Time now) {
  const Time asked = asked_at(side);
  if (asked == kNone) return note_request(node, neighbour_[side], now);
  if (unsettled_->repeat_at[side] == kNever) return 0;
  repeated(side);
  return token(asked);
}

bool Leases::may_grant(const NodeState& node, Side side, Handle peer, Time now) const {
  if (node.active()) return true;
  // The members of a batch hold each other's places. Owner and successor hold leases from before.
  if (!node.suspended()) return node.joiner && node.joiner->in_batch(peer);
  // Who lost the other neighbour may be wrong about everything, unless it asked around since.
  if (valid_until_[opposite(side)] > now) return true;
  return unsettled_ && unsettled_->asked_around != kNone &&
         now - unsettled_->asked_around < 2 * round_period(node);
}

// After many deaths the next leaf may stand far around the ring. While this node asks somebody
// nearer for the first time, the two are not neighbours. Who has a lease of this node keeps it:
// what peers name must not part neighbours.
bool Leases::somebody_between(const NodeState& node, Side side, Handle peer) const {
  const bool granted_before = given_until_[side] != kNone;
  return node.member() && !granted_before &&
         node.liveness.tries_between(node, peer, side == kRight);
}

void Leases::answer(NodeState& node, Step& step, Handle from, const Lease& request) {
  Lease reply;
  reply.grant = request.request;
  reply.active = node.active();
  bool ours = false;
  for (const Side side : kSides) {
    if (neighbour_[side] != from) continue;
    ours = true;
    if (!may_grant(node, side, from, step.now) || somebody_between(node, side, from)) continue;
    if (request.active && withheld(from, step.now)) {
      note(*node.config, Mark::lease_withheld);
      continue;
    }
    if (guard_beyond(node, step.now, side, from)) {
      note(*node.config, Mark::nearer_grant_waits_for_guard);
      continue;
    }
    given_until_[side] = step.now + node.config->granted_lease();
    (side == kLeft ? reply.left : reply.right) = true;
    reply.others = std::max(reply.others, rest_of(former_until_[side], step.now));
    if (reply.request == 0 && wants(node, side, step.now)) {
      reply.request = request_once(node, side, step.now);
    }
  }
  tell_guards(node, step.now, from, reply);
  node.send(step, from, std::move(reply));
  // The sender takes us for its neighbour, but somebody stands between, or we do not know it.
  if (!ours) node.liveness.correct(node, step, from);
}

void Leases::receive(NodeState& node, Step& step, Handle from, const Lease& lease) {
  if (lease.active) node.liveness.set_active(node, step, from, true);
  if (!node.placed()) return;
  const bool granted = lease.grant != 0 && accept(node, step, from, lease);
  if (lease.request != 0) answer(node, step, from, lease);
  if (granted) node.activate_if_ready(step);
}

bool Leases::accept(NodeState& node, Step& step, Handle from, const Lease& lease) {
  bool granted = false;
  for (const Side side : kSides) {
    const Time asked = asked_at(side);
    if (neighbour_[side] != from || asked == kNone || token(asked) != lease.grant) continue;
    if (somebody_between(node, side, from)) continue;
    // Who takes this node for its right neighbour is the left one of this node.
    if (!(side == kLeft ? lease.right : lease.left)) {
      if (lease.active) unsettled_->refused_at = step.now;
      continue;
    }
    if (node.suspended()) note_others(node, step.now, side, lease);
    valid_until_[side] = std::max(valid_until_[side], asked + node.config->lease);
    clear_request(side);
    granted = true;
    adopt_guards(node, step, side, lease);
  }
  release_if_settled();
  return granted;
}

void Leases::heard(Handle from) {
  if (!unsettled_) return;
  for (const Side side : kSides) {
    if (neighbour_[side] == from) unsettled_->silent[side] = false;
  }
}

// --- Views ---------------------------------------------------------------------------------------

bool Leases::held(const NodeState& node, Time now) const {
  if (node.alone && node.tables.leaf_set.empty()) return true;
  return sound(node, kLeft, now) && sound(node, kRight, now);
}

bool Leases::held_from_neighbours(const NodeState& node, Time now) const {
  // A joiner's leases never outlive a change of its neighbours.
  return !node.tables.leaf_set.empty() && held(node, now) &&
         neighbour_[kLeft] == node.tables.leaf_set.left_neighbour() &&
         neighbour_[kRight] == node.tables.leaf_set.right_neighbour();
}

bool Leases::nearer_than_neighbours(const NodeState& node, const NodeId& id) const {
  const NodeId& self = node.self_id();
  const Handle left = neighbour_[kLeft];
  const Handle right = neighbour_[kRight];
  return left == kNoHandle || right == kNoHandle ||
         clockwise_distance(id, self) < clockwise_distance(node.id(left), self) ||
         clockwise_distance(self, id) < clockwise_distance(self, node.id(right));
}

// --- Time ----------------------------------------------------------------------------------------

Time Leases::deadline(const NodeState& node) const {
  if (!node.placed()) return kNever;
  const Config& config = *node.config;
  const Duration renewal = config.lease_renewal();
  Time at = kNever;
  for (const Side side : kSides) {
    if (neighbour_[side] != kNoHandle) {
      const Time asked = asked_at(side);
      at = std::min(
          at, asked != kNone ? asked + config.probe_timeout : renew_at(config, side, renewal));
      if (asked != kNone) at = std::min(at, unsettled_->repeat_at[side]);
    }
    if (node.active() && !node.alone) at = std::min(at, valid_until_[side]);
  }
  if (!unsettled_) return at;
  for (const Guard& guard : unsettled_->guards) at = std::min(at, guard.until);
  for (const Withheld& other : unsettled_->withheld) at = std::min(at, other.until);
  if (node.suspended()) {
    at = std::min({at, unsettled_->next_round, unsettled_->round_ends, unsettled_->ask_unaware,
                   resign_at(node)});
    if (others_over_at() != kNone) at = std::min(at, others_over_at());
  }
  return at;
}

void Leases::advance(NodeState& node, Step& step) {
  if (!node.placed()) return;
  expire_guards(node, step);
  if (node.suspended()) advance_suspension(node, step);
  if (!node.placed()) return;
  for (const Side side : kSides) {
    if (neighbour_[side] == kNoHandle) continue;
    const Time asked = asked_at(side);
    if (asked == kNone) {
      if (renew_at(node, side) <= step.now) ask(node, step, side);
    } else if (asked + node.config->probe_timeout <= step.now) {
      if (unsettled_->silent[side]) node.liveness.neighbour_silent(node, step, neighbour_[side]);
      // Finding it dead may have changed the neighbour, who was asked then.
      if (asked_at(side) == asked && neighbour_[side] != kNoHandle) ask(node, step, side);
    } else if (unsettled_->repeat_at[side] <= step.now) {
      repeat_request(node, step, side);
    }
  }
}

void Leases::mark_handles(Directory& directory) const {
  for (const Handle peer : neighbour_) {
    if (peer != kNoHandle) directory.mark(peer);
  }
  if (!unsettled_) return;
  for (const Guard& guard : unsettled_->guards) {
    directory.mark(guard.peer);
    if (guard.told_by != kNoHandle) directory.mark(guard.told_by);
  }
  for (const Withheld& other : unsettled_->withheld) directory.mark(other.peer);
  for (const Lost& lost : unsettled_->lost) directory.mark(lost.peer);
  for (const Handle peer : unsettled_->unaware) directory.mark(peer);
}

}  // namespace pastry
