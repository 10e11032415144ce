#include "pastry/core/liveness.h"

#include <algorithm>

#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// Outstanding probes beyond which no further peer is measured.
constexpr std::size_t kMeasuredMax = 1024;

bool holds(const std::vector<Handle>& list, Handle peer) {
  return std::find(list.begin(), list.end(), peer) != list.end();
}

bool in_tables(const NodeState& node, Handle peer) {
  return node.tables.leaf_set.contains(peer) || node.tables.routing_table.contains(peer) ||
         node.tables.neighbourhood.contains(peer);
}

}  // namespace

// --- Messages -----------------------------------------------------------------------------------

void Liveness::heard(NodeState& node, Step& step, Handle from) {
  if (from == right_) right_heard_ = step.now;
  doubts_.lives(from);
  if (node.alone && node.active() && !node.tables.leaf_set.empty()) node.alone = false;
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const LeafProbe& probe) {
  set_active(node, step, from, probe.active);
  if (!node.placed()) {
    if (probe.active && node.joiner) node.joiner->saw_active(node, step.now, from);
    return;  // without a place in the ring there is no leaf set to talk about
  }
  // What j calls dead and we hold is probed, not removed.
  for (const Handle peer : probe.failed) {
    if (node.tables.leaf_set.contains(peer)) check(node, step, peer);
  }
  if (!probe.reply) {
    node.send(step, from, leaf_probe(node, step.now, true, probe.token));
  }
  answered(node, step, from, probe.token, probe.active);
  node.insert_leaf(step, from);
  consider_leaves(node, step, probe.leaf_set);
  node.activate_if_ready(step);
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Heartbeat& heartbeat) {
  set_active(node, step, from, heartbeat.active);
  if (!node.placed() || from == right_) return;
  // The sender takes us for its left neighbour, but somebody stands between, or we do not know it:
  // the exchange tells both.
  exchange(node, step, from);
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Ping& ping) {
  node.send(step, from, Pong{ping.token, node.active()});
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Pong& pong) {
  if (pong.active) {
    set_active(node, step, from, true);
    if (node.joiner) node.joiner->saw_active(node, step.now, from);
  } else if (node.joiner) {
    node.joiner->saw_inactive(node, step.now, from);
  }
  answered(node, step, from, pong.token, pong.active);
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Leave& leave) {
  drop_probe(from);
  doubts_.set_active(from);
  remember_dead(node, step.now, from);
  node.remove_peer(step, from);
  consider_leaves(node, step, leave.leaf_set);
  node.activate_if_ready(step);
}

// --- Starting probes
// ------------------------------------------------------------------------------

bool Liveness::probing(Handle peer) const {
  const std::span<const Probe> running = probes();
  return std::any_of(running.begin(), running.end(),
                     [peer](const Probe& probe) { return probe.peer == peer; });
}

void Liveness::start_probe(NodeState& node, Step& step, Handle peer, bool leaf, bool spread) {
  for (Probe& probe : probes()) {
    if (probe.peer != peer) continue;
    probe.spread |= spread;
    if (leaf && !probe.leaf) {
      probe.leaf = true;
      ++probing_->leaves;
      send_probe(node, step, probe);
    }
    return;
  }
  if (!probing_) probing_ = std::make_unique<Probing>();
  Probe probe;
  probe.peer = peer;
  probe.leaf = leaf;
  probe.spread = spread;
  if (leaf) ++probing_->leaves;
  send_probe(node, step, probe);
  probing_->probes.push_back(probe);
}

void Liveness::send_probe(NodeState& node, Step& step, Probe& probe) {
  if (++last_token_ == 0) ++last_token_;  // 0 marks unsolicited messages
  probe.token = last_token_;
  probe.sent_at = step.now;
  probe.deadline = step.now + node.config->probe_timeout;
  probing_->deadline = std::min(probing_->deadline, probe.deadline);
  if (probe.leaf) {
    node.send(step, probe.peer, leaf_probe(node, step.now, false, probe.token));
  } else {
    node.send(step, probe.peer, Ping{probe.token});
  }
}

LeafProbe Liveness::leaf_probe(const NodeState& node, Time now, bool reply,
                               std::uint32_t token) const {
  return {reply, node.active(), token, node.tables.leaf_set.members(), failed(node, now)};
}

bool Liveness::among_nearest(const NodeState& node, const NodeId& id) const {
  // Counts members and outstanding candidates that are nearer on each side: more than l/2 of them
  // leave no place for this one, so probing it would be wasted.
  const NodeId& self = node.self_id();
  const LeafSet& leaves = node.tables.leaf_set;
  const int half = leaves.capacity() / 2;
  const Id up = clockwise_distance(self, id);
  const Id down = clockwise_distance(id, self);
  int nearer_up = 0;
  int nearer_down = 0;
  for (const Handle peer : leaves.right()) {
    if (clockwise_distance(self, node.id(peer)) < up) ++nearer_up;
  }
  for (const Handle peer : leaves.left()) {
    if (clockwise_distance(node.id(peer), self) < down) ++nearer_down;
  }
  for (const Probe& probe : probes()) {
    if (!probe.leaf || leaves.contains(probe.peer)) continue;
    if (clockwise_distance(self, node.id(probe.peer)) < up) ++nearer_up;
    if (clockwise_distance(node.id(probe.peer), self) < down) ++nearer_down;
  }
  return nearer_up < half || nearer_down < half;
}

void Liveness::consider_leaf(NodeState& node, Step& step, Handle peer) {
  const NodeId& id = node.id(peer);
  if (id == node.self_id() || dead(node, step.now, peer)) return;
  const Handle known = node.tables.leaf_set.find(id);
  if (known != kNoHandle &&
      node.directory->incarnation(known) >= node.directory->incarnation(peer)) {
    return;
  }
  if (known == kNoHandle && (!node.tables.leaf_set.would_admit(id) || !among_nearest(node, id))) {
    return;
  }
  start_probe(node, step, peer, true, false);
}

void Liveness::consider_leaves(NodeState& node, Step& step, std::vector<Handle> peers) {
  const NodeId& self = node.self_id();
  std::sort(peers.begin(), peers.end(), [&](Handle a, Handle b) {
    const Id da = ring_distance(self, node.id(a));
    const Id db = ring_distance(self, node.id(b));
    return da != db ? da < db : index(a) < index(b);
  });
  for (const Handle peer : peers) consider_leaf(node, step, peer);
}

void Liveness::measure(NodeState& node, Step& step, Handle peer) {
  if (peer == node.self || node.id(peer) == node.self_id() || dead(node, step.now, peer)) return;
  // What peers name unasked must not make this node ping without end.
  if (probes().size() >= kMeasuredMax) return;
  start_probe(node, step, peer, false, false);
}

void Liveness::suspect(NodeState& node, Step& step, Handle peer) {
  if (peer == node.self || dead(node, step.now, peer)) return;
  if (doubts_.suspect(peer)) node.emit(step, PeerSuspected{peer});
  check(node, step, peer);
}

void Liveness::check(NodeState& node, Step& step, Handle peer) {
  if (peer == node.self) return;
  start_probe(node, step, peer, node.tables.leaf_set.contains(peer), false);
}

void Liveness::exchange(NodeState& node, Step& step, Handle peer) {
  start_probe(node, step, peer, true, false);
}

void Liveness::announce_leaf_set(NodeState& node, Step& step) {
  const LeafProbe news = leaf_probe(node, step.now, true, 0);
  for (const Handle peer : node.tables.leaf_set.members()) node.send(step, peer, LeafProbe(news));
}

// --- Answers and silence
// ---------------------------------------------------------------------------

void Liveness::answered(NodeState& node, Step& step, Handle from, std::uint32_t token,
                        bool active) {
  for (std::size_t i = 0; i < probes().size(); ++i) {
    if (probes()[i].peer != from) continue;
    const Probe probe = probes()[i];
    // A message that does not echo the token proves life but not that ours arrived.
    if (token == 0 || probe.token != token) return;
    erase_probe(i);
    if (active) node.measured(from, step.now - probe.sent_at);
    return;
  }
}

void Liveness::erase_probe(std::size_t index) {
  std::vector<Probe>& running = probing_->probes;
  if (running[index].leaf) --probing_->leaves;
  running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
  if (running.empty()) probing_.reset();
}

void Liveness::drop_probe(Handle peer) {
  const std::span<const Probe> running = probes();
  const auto found = std::find_if(running.begin(), running.end(),
                                  [peer](const Probe& probe) { return probe.peer == peer; });
  if (found != running.end()) erase_probe(static_cast<std::size_t>(found - running.begin()));
}

void Liveness::probe_failed(NodeState& node, Step& step, const Probe& probe) {
  if (in_tables(node, probe.peer) || suspected(probe.peer)) {
    declare_dead(node, step, probe.peer, probe.spread);
  } else {
    // Joiners of a batch need not stand in the owner's leaf set, and the gap waits for each.
    doubts_.drop(probe.peer);
    remember_dead(node, step.now, probe.peer);
    if (node.gap) node.gap->peer_gone(node, step, probe.peer);
  }
}

void Liveness::remember_dead(NodeState& node, Time now, Handle peer) {
  doubts_.set_dead(peer, now, node.config->failed_max);
}

void Liveness::declare_dead(NodeState& node, Step& step, Handle peer, bool spread) {
  doubts_.drop(peer);
  remember_dead(node, step.now, peer);
  node.emit(step, PeerDead{peer});
  const LeafSet& leaves = node.tables.leaf_set;
  const bool was_left =
      std::find(leaves.left().begin(), leaves.left().end(), peer) != leaves.left().end();
  const bool was_right =
      std::find(leaves.right().begin(), leaves.right().end(), peer) != leaves.right().end();
  node.remove_peer(step, peer);
  if (!was_left && !was_right) return;
  if (spread) {
    for (const Handle member : leaves.members()) exchange(node, step, member);
  } else {
    repair_leaf_set(node, step, peer, was_left, was_right);
  }
  if (leaves.empty() && node.active()) {
    node.alone = true;
    node.emit(step, NodeAlone{});
  }
}

void Liveness::repair_leaf_set(NodeState& node, Step& step, Handle dead, bool was_left,
                               bool was_right) {
  const LeafSet& leaves = node.tables.leaf_set;
  if (was_left && !leaves.left().empty()) exchange(node, step, leaves.left().back());
  if (was_right && !leaves.right().empty()) exchange(node, step, leaves.right().back());
  // A half that lost everything takes the nearest known nodes of the routing table as candidates.
  std::vector<Handle> candidates;
  node.tables.routing_table.for_each([&](Handle peer, Proximity) {
    if (peer != dead) candidates.push_back(peer);
  });
  if (!leaves.complete() || leaves.knows_whole_ring()) consider_leaves(node, step, candidates);
}

void Liveness::replace_older(NodeState& node, Step& step, Handle newer) {
  const NodeId& id = node.id(newer);
  const std::uint64_t incarnation = node.directory->incarnation(newer);
  const auto older = [&](Handle peer) {
    return peer != kNoHandle && peer != newer && node.directory->incarnation(peer) < incarnation;
  };
  std::vector<Handle> replaced;
  const Handle leaf = node.tables.leaf_set.find(id);
  if (older(leaf)) replaced.push_back(leaf);
  const Handle entry = node.tables.routing_table.find(id);
  if (older(entry) && !holds(replaced, entry)) replaced.push_back(entry);
  for (const Handle peer : node.tables.neighbourhood.members()) {
    if (node.id(peer) == id && older(peer) && !holds(replaced, peer)) replaced.push_back(peer);
  }
  doubts_.forget_dead_if([&](Handle peer) { return node.id(peer) == id && older(peer); });
  for (const Handle peer : replaced) {
    doubts_.drop(peer);
    drop_probe(peer);
    node.remove_peer(step, peer);
  }
}

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

// --- Views
// ------------------------------------------------------------------------------------------

bool Liveness::dead(NodeState& node, Time now, Handle peer) const {
  return doubts_.died_after(peer, now - node.config->failed_memory);
}

void Liveness::set_active(NodeState& node, Step& step, Handle peer, bool active) {
  if (!active) {
    doubts_.set_inactive(peer);
  } else if (doubts_.set_active(peer) && node.gap) {
    node.gap->peer_active(node, step, peer);
  }
}

void Liveness::tidy(const NodeState& node) {
  if (node.gap) return;
  doubts_.keep_inactive_if([&](Handle peer) { return node.tables.leaf_set.contains(peer); });
}

std::vector<Handle> Liveness::failed(const NodeState& node, Time now) const {
  std::vector<Handle> recent;
  for (const auto& [peer, since] : doubts_.dead()) {
    if (now - since < node.config->failed_memory) recent.push_back(peer);
  }
  return recent;
}

// --- Time
// -------------------------------------------------------------------------------------------

Time Liveness::deadline() const {
  const Time probes_at = probing_ ? probing_->deadline : kNever;
  return std::min({probes_at, heartbeat_at_, silence_at_});
}

void Liveness::advance(NodeState& node, Step& step) {
  check_heartbeat(node, step);
  check_silence(node, step);
  check_probes(node, step);
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
    start_probe(node, step, right_, true, true);
    right_heard_ = step.now;
  }
  silence_at_ = right_heard_ + patience;
}

void Liveness::check_probes(NodeState& node, Step& step) {
  if (!probing_ || probing_->deadline > step.now) return;
  std::vector<Probe> failed;
  for (std::size_t i = 0; i < probes().size();) {
    Probe& probe = probes()[i];
    if (probe.deadline > step.now) {
      ++i;
    } else if (probe.tries < node.config->probe_retries) {
      ++probe.tries;
      send_probe(node, step, probe);
      ++i;
    } else {
      failed.push_back(probe);
      erase_probe(i);
    }
  }
  if (probing_) {
    probing_->deadline = kNever;
    for (const Probe& probe : probes()) {
      probing_->deadline = std::min(probing_->deadline, probe.deadline);
    }
  }
  for (const Probe& probe : failed) probe_failed(node, step, probe);
  if (!failed.empty()) node.activate_if_ready(step);
}

void Liveness::mark_handles(Directory& directory) const {
  for (const Probe& probe : probes()) directory.mark(probe.peer);
  doubts_.mark_handles(directory);
}

}  // namespace pastry
