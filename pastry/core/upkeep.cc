#include "pastry/core/upkeep.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// Rounds of looking for nodes on an empty side of the leaf set before the node gives its place up.
constexpr int kRoundsBeforeResigning = 8;

}  // namespace

void Upkeep::start(NodeState& node, Step& step) {
  // Full jitter at the start: nodes that began together must not stay in step.
  const auto first = [&](Duration period) {
    return step.now + node.random.between(period / 10, period);
  };
  leaf_exchange_at_ = first(node.config->leaf_exchange_period);
  // Who joins together with many others misses those that came just after: the first rounds follow
  // quickly, each twice as late as the one before.
  gossip_round_ = 0;
  gossip_at_ = step.now + node.random.jittered(gossip_period(*node.config), 50);
  probe_at_ = first(node.config->table_probe_period_max);
  reunion_at_ = first(node.config->reunion_period);
  active_since_s_ = static_cast<std::uint32_t>(
      std::chrono::duration_cast<seconds>(step.now.time_since_epoch()).count());
}

Duration Upkeep::gossip_period(const Config& config) const {
  Duration period = config.table_settle_period;
  for (unsigned round = 0; round < gossip_round_ && period < config.table_upkeep_period; ++round) {
    period *= 2;
  }
  return std::min(period, config.table_upkeep_period);
}

// --- Messages
// --------------------------------------------------------------------------------------

void Upkeep::announce(NodeState& node, Step& step) {
  const RoutingTable& table = node.tables.routing_table;
  const int b = table.digit_bits();
  for (int index = 0; index < table.rows_used(); ++index) {
    const Row row{static_cast<std::uint8_t>(index), table.row(index)};
    for (const Handle peer : row.entries) {
      const auto distance = table.proximity_at(index, digit(node.id(peer), index, b));
      node.send(step, peer, Announce{row, distance.known() ? distance.round_trip() : Duration(-1)});
    }
  }
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const Announce& announce) {
  node.liveness.set_active(node, step, from, true);
  if (!node.placed()) return;
  node.liveness.replace_older(node, step, from);
  if (announce.round_trip >= Duration::zero()) {
    node.measured(from, announce.round_trip);
  } else {
    consider(node, step, {from}, true);
  }
  consider(node, step, announce.row.entries, false);
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const RowRequest& request) {
  if (request.row >= node.tables.routing_table.row_count()) {
    ++node.counters.refused;
    return;
  }
  std::vector<Handle> entries;
  if (request.row < node.tables.routing_table.rows_used()) {
    entries = node.tables.routing_table.row(request.row);
    std::erase(entries, from);
  }
  if (entries.size() < 256) entries.push_back(node.self);
  node.send(step, from, RowReply{{request.row, std::move(entries)}});
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const RowReply& reply) {
  (void)from;
  // While the table settles only gaps are filled; later rounds also look for nearer nodes.
  const bool settled = gossip_period(*node.config) >= node.config->table_upkeep_period;
  if (node.placed()) consider(node, step, reply.row.entries, settled);
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const NeighbourhoodRequest&) {
  std::vector<Handle> members = node.tables.neighbourhood.members();
  std::erase(members, from);
  node.send(step, from, NeighbourhoodReply{std::move(members)});
}

void Upkeep::receive(NodeState& node, Step& step, Handle, const NeighbourhoodReply& reply) {
  const NeighbourhoodSet& near = node.tables.neighbourhood;
  for (const Handle peer : reply.members) {
    if (!near.contains(peer)) node.liveness.measure(node, step, peer);
  }
}

void Upkeep::consider(NodeState& node, Step& step, const std::vector<Handle>& peers, bool all) {
  const RoutingTable& table = node.tables.routing_table;
  const int b = table.digit_bits();
  for (const Handle peer : peers) {
    const NodeId& id = node.id(peer);
    if (peer == node.self || id == node.self_id()) continue;
    const int row = shared_prefix(node.self_id(), id, b);
    const Handle present = row < table.rows_used() ? table.at(row, digit(id, row, b)) : kNoHandle;
    if (present == peer) continue;
    if (PASTRY_BUG(gossiped_rows_unprobed)) {
      node.tables.routing_table.consider(peer, {});
      continue;
    }
    if (all || present == kNoHandle) node.liveness.measure(node, step, peer);
  }
}

void Upkeep::repair(NodeState& node, Step& step, int row, const NodeId& dead) {
  (void)dead;
  const RoutingTable& table = node.tables.routing_table;
  for (int index = row; index < table.rows_used() && index <= row + 1; ++index) {
    const std::vector<Handle> entries = table.row(index);
    if (entries.empty()) continue;
    const Handle asked = entries[node.random.below(entries.size())];
    note(*node.config, Mark::dead_entry_replaced);
    node.send(step, asked, RowRequest{static_cast<std::uint8_t>(row)});
    return;
  }
}

// --- Periodic work
// -----------------------------------------------------------------------------------

void Upkeep::mark_handles(Directory& directory) const {
  if (bootstrap_ != kNoHandle) directory.mark(bootstrap_);
  if (tuner_) tuner_->mark_handles(directory);
}

Time Upkeep::deadline() const {
  return std::min({leaf_exchange_at_, gossip_at_, probe_at_, reunion_at_});
}

void Upkeep::advance(NodeState& node, Step& step) {
  const Config& config = *node.config;
  const auto again = [&](Duration period) {
    return step.now + node.random.jittered(period, config.jitter_percent);
  };
  if (leaf_exchange_at_ <= step.now) {
    leaf_exchange_at_ = again(config.leaf_exchange_period);
    exchange_leaf_sets(node, step);
    node.liveness.tidy(node, step.now);
    node.tables.routing_table.shrink();  // it has grown by then, as far as it will soon
  }
  if (gossip_at_ <= step.now) {
    if (gossip_period(config) < config.table_upkeep_period) ++gossip_round_;
    gossip_at_ = again(gossip_period(config));
    gossip(node, step);
  }
  if (probe_at_ <= step.now) {
    probe_next_entry(node, step);
    const auto entries = std::max<std::size_t>(1, node.tables.routing_table.size());
    probe_at_ = again(probe_period(config) / static_cast<std::int64_t>(entries));
  }
  if (reunion_at_ <= step.now) {
    reunion_at_ = again(config.reunion_period);
    seek_reunion(node, step);
  }
}

void Upkeep::exchange_leaf_sets(NodeState& node, Step& step) {
  const std::vector<Handle> members = node.tables.leaf_set.members();
  if (members.empty()) return;
  node.liveness.exchange(node, step, members[node.random.below(members.size())]);
  if (node.tables.leaf_set.complete()) {
    rounds_one_sided_ = 0;
    return;
  }
  node.liveness.fill_leaf_set(node, step);
  hurry(step.now + node.random.jittered(node.probe_time(), node.config->jitter_percent));
  // Others live and cannot be found on one side: a ring of its own is the last thing to become.
  const LeafSet& leaves = node.tables.leaf_set;
  if (!leaves.left().empty() && !leaves.right().empty()) {
    rounds_one_sided_ = 0;
    return;
  }
  if (++rounds_one_sided_ < kRoundsBeforeResigning) return;
  rounds_one_sided_ = 0;
  node.resign(step, "no node is found on one side of the ring");
}

void Upkeep::gossip(NodeState& node, Step& step) {
  const RoutingTable& table = node.tables.routing_table;
  const std::vector<Handle> leaves = node.tables.leaf_set.members();
  const bool ask_leaf = !leaves.empty() && node.random.below(2) == 0;
  for (int index = 0; index < table.rows_used(); ++index) {
    // A member of the row has the same slots filled; a leaf shares more digits than most and so has
    // every row that this node uses.
    const std::vector<Handle> entries = table.row(index);
    const Handle leaf = leaves.empty() ? kNoHandle : leaves[node.random.below(leaves.size())];
    const bool leaf_serves = leaf != kNoHandle && shared_prefix(node.self_id(), node.id(leaf),
                                                                table.digit_bits()) >= index;
    Handle asked = entries.empty() ? kNoHandle : entries[node.random.below(entries.size())];
    if (leaf_serves && (ask_leaf || asked == kNoHandle)) asked = leaf;
    if (asked == kNoHandle) continue;
    node.send(step, asked, RowRequest{static_cast<std::uint8_t>(index)});
  }
  // Each answer names many nodes to measure: not in the quick rounds.
  if (gossip_period(*node.config) < node.config->table_upkeep_period) return;
  const std::vector<Handle> near = node.tables.neighbourhood.members();
  if (!near.empty()) {
    node.send(step, near[node.random.below(near.size())], NeighbourhoodRequest{});
  }
}

}  // namespace pastry
