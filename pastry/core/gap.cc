#include "pastry/core/gap.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// A hand-over chain longer than this means that views disagree; the joiner asks again.
constexpr std::uint16_t kTransfersMax = 64;

// The member of the leaf set (or this node) next below `id`, the joiner itself not counted.
Handle predecessor(const NodeState& node, const NodeId& id, Handle joiner) {
  Handle best = node.self;
  Id best_distance = clockwise_distance(node.self_id(), id);
  for (const Handle peer : node.tables.leaf_set.members()) {
    if (peer == joiner) continue;
    const Id distance = clockwise_distance(node.id(peer), id);
    if (distance < best_distance) {
      best = peer;
      best_distance = distance;
    }
  }
  return best;
}

// Adds the rows of this node that the joiner can use and nobody on the way has added.
void add_rows(const NodeState& node, JoinRequest& request) {
  const int b = node.config->digit_bits;
  const NodeId& joiner = node.id(request.joiner);
  const int shared = std::min(shared_prefix(node.self_id(), joiner, b), digit_count(b) - 1);
  int next = request.rows.empty() ? 0 : request.rows.back().index + 1;
  for (; next <= shared; ++next) {
    Row row{static_cast<std::uint8_t>(next), {}};
    if (next < node.tables.routing_table.rows_used()) {
      row.entries = node.tables.routing_table.row(next);
      std::erase(row.entries, request.joiner);
    }
    if (next == shared && row.entries.size() < 256) row.entries.push_back(node.self);
    if (!row.entries.empty()) request.rows.push_back(std::move(row));
  }
}

}  // namespace

// --- Requests on their way -----------------------------------------------------------------------

void Gap::receive(NodeState& node, Step& step, Handle from, JoinRequest&& request) {
  (void)from;
  if (request.joiner == node.self || node.id(request.joiner) == node.self_id()) return;
  if (!node.placed()) {
    note(*node.config, Mark::join_refused_not_placed);
    node.send(step, request.joiner, JoinRefused{request.attempt, node.config->join_retry_min});
    return;
  }
  node.liveness.replace_older(node, step, request.joiner);
  add_rows(node, request);
  if (!node.active()) {
    note(*node.config, Mark::join_kept_until_active);
    take(node, step, std::move(request));  // handed on as soon as this node is active
    return;
  }
  pass_on(node, step, std::move(request));
}

void Gap::pass_on(NodeState& node, Step& step, JoinRequest&& request) {
  if (++request.hops > kTransfersMax) {
    ++node.counters.dropped;
    return;
  }
  const NodeId& id = node.id(request.joiner);
  const LeafSet& leaves = node.tables.leaf_set;
  if (leaves.covers(id)) {
    const Handle owner = predecessor(node, id, request.joiner);
    if (owner == node.self) {
      take(node, step, std::move(request));
    } else {
      note(*node.config, Mark::join_handed_to_owner);
      node.send(step, owner, JoinTransfer{std::move(request)});
    }
    return;
  }
  std::vector<Handle> excluded = node.liveness.suspects();
  excluded.push_back(request.joiner);
  const NextHop next = next_hop(*node.directory, node.tables, id, excluded);
  if (next.node == kNoHandle) {
    take(node, step, std::move(request));
  } else {
    // Nobody acknowledges requests: a dead entry would swallow one after the other.
    if (!leaves.contains(next.node)) node.liveness.measure(node, step, next.node);
    node.send(step, next.node, std::move(request));
  }
}

// A node that restarted before it was admitted is here under two incarnations: the older one is
// gone. False if `joiner` itself is the older one.
bool Gap::forget_older(NodeState& node, Step& step, Handle joiner) {
  if (!node.directory->has_twins(joiner)) return true;
  std::vector<Handle> twins;
  const auto look = [&](Handle peer) {
    if (peer != joiner && node.id(peer) == node.id(joiner)) twins.push_back(peer);
  };
  for (const JoinRequest& request : queue_) look(request.joiner);
  for (const Member& member : members_) look(member.request.joiner);
  const std::uint64_t incarnation = node.directory->incarnation(joiner);
  for (const Handle twin : twins) {
    if (node.directory->incarnation(twin) > incarnation) return false;
  }
  for (const Handle twin : twins) peer_gone(node, step, twin);
  return true;
}

void Gap::take(NodeState& node, Step& step, JoinRequest&& request) {
  if (!forget_older(node, step, request.joiner)) return;
  const auto same = [&](const JoinRequest& other) { return other.joiner == request.joiner; };
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const Member& m) { return same(m.request); });
  if (member != members_.end()) {
    note(*node.config, Mark::grant_repeated_in_batch);
    member->request = std::move(request);
    if (phase_ == Phase::admitting) send_grant(node, step, member->request);
    return;
  }
  if (node.active() && node.tables.leaf_set.contains(request.joiner)) {
    // Admitted before, but it did not hear of it.
    note(*node.config, Mark::grant_repeated_later);
    send_grant(node, step, request);
    return;
  }
  const auto queued = std::find_if(queue_.begin(), queue_.end(), same);
  if (queued != queue_.end()) {
    note(*node.config, Mark::join_queued_again);
    *queued = std::move(request);
  } else if (queue_.size() < node.config->gap_queue_max || PASTRY_BUG(gap_queue_unbounded)) {
    queue_.push_back(std::move(request));
  } else {
    note(*node.config, Mark::join_queue_full);
    node.send(step, request.joiner, JoinRefused{request.attempt, node.config->join_retry_max / 4});
    return;
  }
  pump(node, step);
}

// --- The owner
// ------------------------------------------------------------------------------------

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

// --- Time
// --------------------------------------------------------------------------------------------

bool Gap::idle() const {
  return phase_ == Phase::open && queue_.empty() && members_.empty() && reserved_for_.empty();
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
  for (const Handle joiner : reserved_for_) directory.mark(joiner);
  for (const Handle leaf : leaves_before_) directory.mark(leaf);
  for (const Handle peer : {successor_, reserved_by_}) {
    if (peer != kNoHandle && directory.valid(peer)) directory.mark(peer);
  }
}

}  // namespace pastry
