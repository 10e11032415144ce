// Slow probing of routing-table entries at the self-tuned period T_rt [MSPastry §4.1].
#include "pastry/core/node_state.h"
#include "pastry/core/upkeep.h"

namespace pastry {

ProbeTuner& Upkeep::tuner(const Config& config) {
  if (!tuner_) tuner_ = std::make_unique<ProbeTuner>(config.table_probe_period_max);
  return *tuner_;
}

void Upkeep::failed(NodeState& node, Time now) {
  if (!node.active()) return;
  tuner(*node.config).failed(now);
  update_tuner(node, now);
}

void Upkeep::heard_probe_period(NodeState& node, Handle from, Duration period) {
  if (!node.active() || (!tuner_ && period == Duration::zero())) return;
  tuner(*node.config).heard(*node.config, from, period);
}

Duration Upkeep::own_probe_period(const Config& config) const {
  if (!tuner_ || tuner_->own() >= config.table_probe_period_max) return Duration::zero();
  return tuner_->own();
}

Duration Upkeep::probe_period(const Config& config) const {
  return tuner_ ? tuner_->period() : config.table_probe_period_max;
}

void Upkeep::update_tuner(NodeState& node, Time now) {
  const std::size_t peers = node.tables.leaf_set.distinct_size() + node.tables.routing_table.size();
  tuner_->update(*node.config, now, Time(seconds(active_since_s_)), peers,
                 node.tables.leaf_set.mean_spacing());
}

void Upkeep::seen_alive(const Config& config, Handle peer, Time now) {
  if (tuner_) tuner_->seen_alive(peer, now, probe_period(config));
}

// Leaves are watched by their neighbours; traffic, a ping or rows show others to be alive. The
// answer to this node's own ping does not count: it would put off the next one to the round after
// it.
bool Upkeep::known_alive(const NodeState& node, Time now, Handle peer) const {
  if (node.tables.leaf_set.contains(peer)) return true;
  const Time since = now - probe_period(*node.config);
  return node.forwarder.acknowledged_since(peer, since) ||
         (tuner_ && tuner_->alive_since(peer, since));
}

void Upkeep::probe_next_entry(NodeState& node, Step& step) {
  if (tuner_) {
    update_tuner(node, step.now);
    if (tuner_->calm(node.config->table_probe_period_max)) tuner_.reset();
  }
  const std::size_t entries = node.tables.routing_table.size();
  if (entries == 0) return;
  const std::size_t wanted = probe_cursor_++ % entries;
  std::size_t place = 0;
  Handle chosen = kNoHandle;
  node.tables.routing_table.for_each([&](Handle peer, Proximity) {
    if (place++ == wanted) chosen = peer;
  });
  if (chosen != kNoHandle && !known_alive(node, step.now, chosen)) {
    node.liveness.measure(node, step, chosen);
  }
}

}  // namespace pastry
