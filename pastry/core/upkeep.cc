#include "pastry/core/upkeep.h"

#include <algorithm>
#include <utility>

#include "pastry/core/node_state.h"

namespace pastry {

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
  reunion_round_ = static_cast<std::uint16_t>(node.random.below(1U << 16U));
  if (settling_) settling_->start(node, step);
  release_settled();
}

Duration Upkeep::gossip_period(const Config& config) const {
  Duration period = config.table_settle_period;
  for (unsigned round = 0; round < gossip_round_ && period < config.table_upkeep_period; ++round) {
    period *= 2;
  }
  return std::min(period, config.table_upkeep_period);
}

void Upkeep::keep_rows(NodeState& node, const std::vector<Row>& rows) {
  // A node that gave its place up and got another may still wait for probes of the first time.
  node.liveness.release_settling();
  settling_ = std::make_unique<Settling>(node);
  settling_->keep(rows);
}

void Upkeep::settle(NodeState& node, Step& step) {
  if (settling_) settling_->proceed(node, step);
  release_settled();
}

void Upkeep::release_settled() {
  if (settling_ && settling_->done()) settling_.reset();
}

// --- Periodic work
// -----------------------------------------------------------------------------------

void Upkeep::mark_handles(Directory& directory) const {
  if (bootstrap_ != kNoHandle) directory.mark(bootstrap_);
  if (tuner_) tuner_->mark_handles(directory);
  if (settling_) settling_->mark_handles(directory);
}

Time Upkeep::deadline() const {
  return std::min({leaf_exchange_at_, leaf_repair_at_, gossip_at_, probe_at_, reunion_at_,
                   settling_ ? settling_->deadline() : kNever});
}

void Upkeep::advance(NodeState& node, Step& step) {
  const Config& config = *node.config;
  const auto again = [&](Duration period) {
    return step.now + node.random.jittered(period, config.jitter_percent);
  };
  if (settling_) settling_->advance(node, step);
  release_settled();
  if (leaf_exchange_at_ <= step.now) {
    leaf_exchange_at_ = again(config.leaf_exchange_period);
    const bool exchanged = exchanged_in_turn();
    // After many deaths at once, or a mistaken one, rings may have to be brought together.
    const bool doubtful = cut_off(node) || node.tables.leaf_set.knows_whole_ring() ||
                          node.liveness.mistaken(step.now - node.config->flip_memory);
    if (!exchanged || doubtful || !node.tables.leaf_set.complete()) {
      exchange_leaf_sets(node, step);
    }
    node.liveness.tidy(node, step.now);
    node.tables.routing_table.shrink();  // it has grown by then, as far as it will soon
  } else if (leaf_repair_at_ <= step.now) {
    leaf_repair_at_ = kNever;
    if (!node.tables.leaf_set.complete()) {
      exchange_right_ = !exchange_right_;
      exchange_leaf_sets(node, step);
    }
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

void Upkeep::leaf_sets_exchanged(const NodeState& node, Handle leaf) {
  const LeafSet& leaves = node.tables.leaf_set;
  exchanged_left_ = exchanged_left_ || holds(leaves.left(), leaf);
  exchanged_right_ = exchanged_right_ || holds(leaves.right(), leaf);
}

// The sides have their turns: what is missing on one, or dead there, is seldom known on the other.
bool Upkeep::exchanged_in_turn() {
  exchange_right_ = !exchange_right_;
  const bool exchanged = exchange_right_ ? exchanged_right_ : exchanged_left_;
  if (exchange_right_) {
    exchanged_right_ = false;
  } else {
    exchanged_left_ = false;
  }
  return exchanged;
}

void Upkeep::exchange_leaf_sets(NodeState& node, Step& step) {
  const LeafSet& leaves = node.tables.leaf_set;
  const auto& side = exchange_right_ && !leaves.right().empty() ? leaves.right() : leaves.left();
  if (side.empty()) return;
  node.liveness.exchange(node, step, side[node.random.below(side.size())]);
  if (node.tables.leaf_set.complete()) return;
  node.liveness.fill_leaf_set(node, step);
  hurry(step.now + node.random.jittered(node.probe_time(), node.config->jitter_percent));
}

}  // namespace pastry
