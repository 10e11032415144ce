// Requests to join on their way to the gap's owner.
#include <algorithm>
#include <utility>

#include "pastry/core/gap.h"
#include "pastry/core/marks.h"
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
    if (!leaves.contains(next.node)) {
      node.liveness.measure(node, step, next.node);
      passed_.keep(next.node, request);
    }
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

void Gap::pass_on_again(NodeState& node, Step& step, Handle dead) {
  for (JoinRequest& request : passed_.take(dead)) {
    note(*node.config, Mark::join_passed_on_again);
    pass_on(node, step, std::move(request));
  }
}

}  // namespace pastry
