// Heartbeats to the left neighbour and the silence of the right one [MSPastry §4.1].
#include <algorithm>

#include "pastry/core/liveness.h"
#include "pastry/core/node_state.h"

namespace pastry {

void Liveness::neighbours_changed(NodeState& node, Step& step) {
  const Handle left = node.tables.leaf_set.left_neighbour();
  const Handle right = node.tables.leaf_set.right_neighbour();
  if (left != left_) {
    left_ = left;
    left_sent_ = step.now;
    heartbeat_at_ = std::min(heartbeat_at_, step.now + node.config->heartbeat_period);
  }
  if (right != right_) {
    right_ = right;
    right_heard_ = step.now;
    const Duration patience = node.config->heartbeat_period + node.config->probe_timeout;
    silence_at_ = std::min(silence_at_, step.now + patience);
  }
}

// Both deadlines are lazy: traffic moves the true one later without touching them, and they are set
// again when they come due.
void Liveness::check_heartbeat(NodeState& node, Step& step) {
  if (heartbeat_at_ > step.now) return;
  heartbeat_at_ = kNever;
  if (left_ == kNoHandle) return;
  if (!node.placed()) {  // it may get its place again
    heartbeat_at_ = step.now + node.config->heartbeat_period;
    return;
  }
  if (left_sent_ + node.config->heartbeat_period <= step.now) {
    node.send(step, left_, Heartbeat{node.active()});
  }
  heartbeat_at_ = left_sent_ + node.config->heartbeat_period;
}

void Liveness::check_silence(NodeState& node, Step& step) {
  if (silence_at_ > step.now) return;
  silence_at_ = kNever;
  if (right_ == kNoHandle) return;
  const Duration patience = node.config->heartbeat_period + node.config->probe_timeout;
  if (!node.placed()) right_heard_ = step.now;
  if (right_heard_ + patience <= step.now) {
    start_probe(node, step, {.peer = right_, .leaf = true, .spread = true});
    right_heard_ = step.now;
  }
  silence_at_ = right_heard_ + patience;
}

}  // namespace pastry
