#include "pastry/core/settling.h"

#include <algorithm>
#include <utility>

#include "pastry/core/nearness.h"
#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// Found by experiment (docs/routing.md): more of each costs messages for little.
constexpr std::size_t kExploredAtOnce = 4;
constexpr std::uint8_t kAskedPerLevelMax = 8;
constexpr std::size_t kPromisesMax = 256;
constexpr std::size_t kWantedByMax = 256;
// Somebody is asked if it is nearer than the last one by this part at least.
constexpr int kNearerPercent = 95;

bool holds(const std::vector<Handle>& list, Handle peer) {
  return std::find(list.begin(), list.end(), peer) != list.end();
}

// The nearest node known that shares `level` digits with this one.
Located nearest_sharing(const NodeState& node, int level) {
  const RoutingTable& table = node.tables.routing_table;
  const NeighbourhoodSet& near = node.tables.neighbourhood;
  Located best;
  for (std::size_t rank = 0; rank < near.size() && best.peer == kNoHandle; ++rank) {
    const Handle peer = near.at(rank);
    if (shared_prefix(node.self_id(), node.id(peer), table.digit_bits()) < level) continue;
    best = {peer, near.proximity_at(rank)};
  }
  table.for_each_from(level, [&](Handle peer, Proximity distance) {
    if (distance < best.distance) best = {peer, distance};
  });
  return best;
}

}  // namespace

Settling::Settling(const NodeState& node)
    : candidates_(*node.directory, node.self_id(), node.config->digit_bits) {}

void Settling::keep(const std::vector<Row>& rows) {
  std::size_t count = 0;
  for (const Row& row : rows) count += row.entries.size();
  candidates_.table.reserve(count);
  for (const Row& row : rows) {
    for (const Handle peer : row.entries) candidates_.table.consider(peer, Proximity());
  }
}

void Settling::start(NodeState& node, Step& step) {
  phase_ = Phase::climbing;
  level_ = static_cast<std::int16_t>(std::max(0, node.tables.routing_table.rows_used() - 1));
  climb(node, step);
}

void Settling::climb(NodeState& node, Step& step) {
  for (; level_ >= 0; --level_, asked_at_level_ = 0, explored_ = false) {
    const Located nearest = nearest_sharing(node, level_);
    if (nearest.peer == kNoHandle || !nearest.distance.known()) continue;
    if (ask(node, step, nearest) || explore(node, step, nearest.distance)) return;
  }
  fill(node, step);
}

bool Settling::ask(NodeState& node, Step& step, Located nearest) {
  if (asked_at_level_ == kAskedPerLevelMax || holds(asked_, nearest.peer)) return false;
  if (distance_.known() &&
      nearest.distance.round_trip() * 100 >= distance_.round_trip() * kNearerPercent) {
    return false;
  }
  ++asked_at_level_;
  explored_ = false;
  asked_.push_back(nearest.peer);
  distance_ = nearest.distance;
  awaited_ = nearest.peer;
  deadline_ = step.now + node.probe_time();
  const RoutingTable& table = node.tables.routing_table;
  const int shared = shared_prefix(node.self_id(), node.id(nearest.peer), table.digit_bits());
  const int last = std::min(shared, table.row_count() - 1);
  node.send(step, nearest.peer, RowRequest{0, static_cast<std::uint8_t>(last)});
  return true;
}

bool Settling::explore(NodeState& node, Step& step, Proximity nearest) {
  if (std::exchange(explored_, true)) return false;
  std::erase_if(promising_, [limit = nearest.round_trip()](const Promise& promise) {
    return promise.nearest >= limit;
  });
  std::sort(promising_.begin(), promising_.end());
  std::vector<Promise> others;
  for (const Promise& promise : promising_) {
    if (promise.row < level_ - 1 || node.liveness.settling_probes() == kExploredAtOnce) {
      others.push_back(promise);
    } else if (!distance_to(*node.directory, node.tables, promise.peer).known()) {
      node.liveness.measure_settling(node, step, promise.peer);
    }
  }
  promising_ = std::move(others);
  if (node.liveness.settling_probes() == 0) return false;
  deadline_ = step.now + node.probe_time();
  return true;
}

void Settling::receive(NodeState& node, Step& step, Handle from, const RowReply& reply) {
  if (!awaits(from)) return;
  awaited_ = kNoHandle;
  for (const Located& entry : reply.entries) {
    if (!entry.distance.known() || entry.peer == node.self || node.self_id() == node.id(entry.peer))
      continue;
    if (node.liveness.dead(node, step.now, entry.peer)) continue;
    note(node, entry);
  }
  proceed(node, step);
}

void Settling::note(const NodeState& node, const Located& entry) {
  const Duration a = distance_.round_trip();
  const Duration d = entry.distance.round_trip();
  candidates_.table.consider(entry.peer, Proximity::from(a + d));
  const Duration nearest = a > d ? a - d : d - a;
  if (nearest >= a) return;
  const auto known =
      std::find_if(promising_.begin(), promising_.end(),
                   [&](const Promise& promise) { return promise.peer == entry.peer; });
  if (known != promising_.end()) {
    known->nearest = std::max(known->nearest, nearest);
  } else if (promising_.size() < kPromisesMax) {
    promising_.push_back(
        {nearest, entry.peer,
         shared_prefix(node.self_id(), node.id(entry.peer), node.config->digit_bits)});
  }
}

// The routing table decides by measured distances; only who may win there is probed.
void Settling::fill(NodeState& node, Step& step) {
  phase_ = Phase::filling;
  std::vector<Handle> better;
  candidates_.table.for_each([&](Handle peer, Proximity bound) {
    const RoutingTable::Held present = node.tables.routing_table.slot_of(node.id(peer));
    if (present.node == peer) return;
    if (present.node == kNoHandle || bound < present.proximity) better.push_back(peer);
  });
  for (const Handle peer : better) node.liveness.measure_settling(node, step, peer);
  deadline_ = step.now + node.probe_time();
  proceed(node, step);
}

void Settling::wanted_by(Handle peer, Duration round_trip) {
  if (wanted_by_.size() < kWantedByMax) wanted_by_.emplace_back(peer, round_trip);
}

void Settling::finish(NodeState& node, Step& step) {
  phase_ = Phase::done;
  deadline_ = kNever;
  for (const auto& [peer, round_trip] : wanted_by_) {
    node.upkeep.announce(node, step, peer, round_trip);
  }
}

void Settling::proceed(NodeState& node, Step& step) {
  if (awaited_ != kNoHandle || node.liveness.settling_probes() > 0) return;
  if (phase_ == Phase::climbing) {
    climb(node, step);
  } else if (phase_ == Phase::filling) {
    finish(node, step);
  }
}

// Somebody is silent: its probe goes on without us.
void Settling::advance(NodeState& node, Step& step) {
  if (deadline_ > step.now) return;
  deadline_ = kNever;
  awaited_ = kNoHandle;
  node.liveness.release_settling();
  proceed(node, step);
}

void Settling::mark_handles(Directory& directory) const {
  candidates_.table.for_each([&](Handle peer, Proximity) { directory.mark(peer); });
  for (const Promise& promise : promising_) directory.mark(promise.peer);
  for (const auto& [peer, round_trip] : wanted_by_) directory.mark(peer);
  for (const Handle peer : asked_) directory.mark(peer);
  if (awaited_ != kNoHandle) directory.mark(awaited_);
}

}  // namespace pastry
