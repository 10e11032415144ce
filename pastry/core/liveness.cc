#include "pastry/core/liveness.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/nearness.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

// --- Messages -----------------------------------------------------------------------------------

void Liveness::heard(NodeState& node, Step& step, Handle from) {
  node.leases.heard(from);
  if (suspected(from)) {
    note(*node.config, Mark::suspicion_revoked);
    doubts_.heard(from);
  }
  if (probing_) {
    for (Probe& probe : probing_->probes) {
      if (probe.peer == from) probe.heard = true;  // writes to this one only
    }
  }
  // Somebody who was thought dead speaks: whether it can also be reached is for a probe to say.
  if (doubts_.remembers(from) && !doubts_.died_after(from, step.now - node.probe_time())) {
    note(*node.config, Mark::dead_peer_heard);
    start_probe(node, step, {.peer = from});
  }
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const LeafProbe& probe) {
  set_active(node, step, from, probe.active);
  if (!node.placed()) {
    if (probe.active && node.joiner) node.joiner->saw_active(node, step.now, from);
    return;  // without a place in the ring there is no leaf set to talk about
  }
  node.upkeep.heard_probe_period(node, from, probe.probe_period);
  // The token of a request is the peer's own; it may happen to be that of a probe of this node.
  const std::uint32_t echoed = probe.reply ? probe.token : 0;
  // What j calls dead and we hold is probed, not removed. An answer to a question that such a word
  // raised raises no others: two that call each other dead would be probed without end.
  const bool hearsay = std::any_of(probes().begin(), probes().end(), [&](const Probe& asked) {
    return asked.peer == from && asked.reported && asked.token == echoed;
  });
  for (const Handle peer : probe.failed) {
    if (peer == node.self) node.leases.absent(step.now);
    if (hearsay || !node.tables.leaf_set.contains(peer)) continue;
    if (doubts_.vindicated(peer, step.now)) continue;
    note(*node.config, Mark::reported_dead_probed);
    if (PASTRY_BUG(death_gossip_believed)) {
      declare_dead(node, step, peer);
      continue;
    }
    start_probe(node, step, {.peer = peer, .leaf = true, .reported = true});
  }
  const bool exchanged =
      probe.token != 0 && probe.active && node.tables.leaf_set.contains(from) && !hearsay;
  if (exchanged) probe_unlisted(node, step, from, probe.leaf_set);
  if (!probe.reply) {
    node.send(step, from, leaf_probe(node, step.now, true, probe.token));
  }
  // Who answered us, or has us in its own leaf set, was reached by us, and still is unless we found
  // it dead since. Everybody else has to be, before it enters; a joiner announces itself when it is
  // active.
  const bool answer = answered(node, step, from, echoed, probe.active) >= Duration::zero();
  if (answer && probe.active) node.leases.place_answered(node, step.now, from, probe.leaf_set);
  const bool reached = answer || (holds(probe.leaf_set, node.self) && !dead(node, step.now, from));
  if (reached) {
    node.insert_leaf(step, from);
    // An exchange with a leaf, in both directions: the next one with its side has nothing to mend.
    if (exchanged && node.tables.leaf_set.contains(from)) {
      node.upkeep.leaf_sets_exchanged(node, from);
    }
  } else if (probe.active && dead(node, step.now, from)) {
    if (node.tables.leaf_set.would_admit(node.id(from))) exchange(node, step, from);
  } else if (probe.active) {
    note(*node.config, Mark::newcomer_probed_first);
    consider_leaf(node, step, from);
  }
  // A metric needs no time, only that the peer can be reached.
  const bool timed = probe.round_trip >= Duration::zero();
  const bool measurable = timed || (reached && node.config->metric != nullptr);
  if (probe.active && measurable && via(from) == kNoHandle && !dead(node, step.now, from)) {
    node.measured(from, probe.round_trip);
  }
  consider_leaves(node, step, probe.leaf_set);
  note_beyond(node, step.now, probe.leaf_set);
  node.activate_if_ready(step);
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Ping& ping) {
  node.upkeep.seen_alive(*node.config, from, step.now);
  node.send(step, from, Pong{ping.token, node.member(), node.upkeep.wanted(node, from)});
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Pong& pong) {
  if (pong.active) {
    set_active(node, step, from, true);
    if (node.joiner) node.joiner->saw_active(node, step.now, from);
  } else if (node.joiner) {
    node.joiner->saw_inactive(node, step.now, from);
  }
  const Duration round_trip = answered(node, step, from, pong.token, pong.active);
  if (round_trip < Duration::zero() || via(from) != kNoHandle) return;
  // The peer learns what was measured here if it would take us into its table for it.
  const bool wanted = !pong.wanted.known() || node.distance(from, round_trip) < pong.wanted;
  if (pong.active && node.member() && wanted) {
    node.upkeep.wanted_by(node, step, from, round_trip);
  }
}

void Liveness::receive(NodeState& node, Step& step, Handle from, const Leave& leave) {
  const bool leaf = node.tables.leaf_set.contains(from);
  if (leave.gives_up && !inactive(from)) {
    // It may have come in since: then it answers.
    if (leaf) check(node, step, from);
    return;
  }
  note(*node.config, leaf ? Mark::leaf_left : Mark::other_left);
  drop_probe(from);
  doubts_.drop(from);
  remember_dead(node, step.now, from, leaf);
  doubts_.set_left(from);
  node.remove_peer(step, from, Departure::left);
  consider_leaves(node, step, leave.leaf_set);
  node.go_on_alone_if_so(step);
  node.activate_if_ready(step);
}

void Liveness::announce_leaf_set(NodeState& node, Step& step) {
  LeafProbe news = leaf_probe(node, step.now, true, 0);
  for (const Handle peer : node.tables.leaf_set.members()) {
    news.round_trip = known_round_trip(*node.config, *node.directory, node.tables, peer);
    node.send(step, peer, LeafProbe(news));
  }
}

// --- Views --------------------------------------------------------------------------------------

bool Liveness::dead(NodeState& node, Time now, Handle peer) const {
  return doubts_.died_after(peer, now - node.config->failed_memory);
}

bool Liveness::leases_over(Handle peer) const {
  return std::any_of(remembered().begin(), remembered().end(), [peer](const Doubts::Death& death) {
    return death.peer == peer && death.over;
  });
}

void Liveness::set_active(NodeState& node, Step& step, Handle peer, bool active) {
  const bool news = active ? doubts_.set_active(peer) : doubts_.set_inactive(peer);
  if (!news) return;
  probe_anew(peer);
  if (active && node.gap) node.gap->peer_active(node, step, peer);
}

void Liveness::tidy(const NodeState& node, Time now) {
  doubts_.age(now - node.config->reunion_memory, now);
  if (node.gap) return;
  const LeafSet& leaves = node.tables.leaf_set;
  doubts_.keep_inactive_if([&](Handle peer) {
    return peer == leaves.left_neighbour() || peer == leaves.right_neighbour();
  });
}

std::vector<Handle> Liveness::failed(const NodeState& node, Time now) const {
  std::vector<Handle> recent;
  for (const Doubts::Death& death : doubts_.dead()) {
    if (death.leaf && now - death.since < node.config->failed_memory) recent.push_back(death.peer);
  }
  for (const Probe& probe : probes()) {
    if (probe.tries > 1 && accuses(node, probe)) recent.push_back(probe.peer);
  }
  if (PASTRY_BUG(failed_set_unbounded)) return recent;
  const std::size_t excess = recent.size() - std::min(recent.size(), node.config->failed_max);
  recent.erase(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(excess));
  return recent;
}

// --- Time ---------------------------------------------------------------------------------------

Time Liveness::deadline() const {
  const Time probes_at = probing_ ? probing_->deadline : kNever;
  return std::min(probes_at, doubts_.relays().deadline());
}

void Liveness::advance(NodeState& node, Step& step) {
  check_probes(node, step);
  check_links(node, step);
}

void Liveness::mark_handles(Directory& directory) const {
  for (const Probe& probe : probes()) {
    directory.mark(probe.peer);
    if (probe.beyond != kNoHandle) directory.mark(probe.beyond);
  }
  doubts_.mark_handles(directory);
}

}  // namespace pastry
