// Probes: started, answered, repeated, and what their end means [MSPastry §3.1, §4.1].
#include <algorithm>
#include <utility>

#include "pastry/core/liveness.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// Outstanding probes beyond which no further peer is measured.
constexpr std::size_t kMeasuredMax = 1024;
// Remembered dead peers tried at once when one of them came back.
constexpr std::size_t kReunitedMax = 8;

bool in_tables(const NodeState& node, Handle peer) {
  return node.tables.leaf_set.contains(peer) || node.tables.routing_table.contains(peer) ||
         node.tables.neighbourhood.contains(peer);
}

}  // namespace

bool Liveness::probing(Handle peer) const {
  const std::span<const Probe> running = probes();
  return std::any_of(running.begin(), running.end(),
                     [peer](const Probe& probe) { return probe.peer == peer; });
}

bool Liveness::has_room_for_probe() const { return probes().size() < kMeasuredMax; }

// --- Start --------------------------------------------------------------------------------------

void Liveness::start_probe(NodeState& node, Step& step, Probe wanted) {
  for (Probe& probe : probes()) {
    if (probe.peer != wanted.peer) continue;
    const bool told = probe.leaf && (probe.spread || !wanted.spread);
    probe.spread |= wanted.spread;
    probe.reported &= wanted.reported;
    probe.relayed |= wanted.relayed;
    if (wanted.settling && !std::exchange(probe.settling, true)) ++probing_->settling;
    if (wanted.leaf && !probe.leaf) {
      note(*node.config, Mark::ping_became_leaf_probe);
      probe.leaf = true;
      ++probing_->leaves;
      send_probe(node, step, probe);
    }
    if (!told && probe.tries > 1) first_silence(node, step, {wanted.peer});
    return;
  }
  if (!probing_) probing_ = std::make_unique<Probing>();
  if (wanted.leaf) ++probing_->leaves;
  if (wanted.settling) ++probing_->settling;
  send_probe(node, step, wanted);
  probing_->probes.push_back(wanted);
}

std::uint32_t Liveness::next_token() {
  if (++last_token_ == 0) ++last_token_;  // 0 marks unsolicited messages
  return last_token_;
}

void Liveness::send_probe(NodeState& node, Step& step, Probe& probe) {
  const bool last = probe.tries >= tries_allowed(node, step.now, probe);
  // A leaf is asked over others before it is declared dead, whatever the probe was begun for.
  if (last && !probe.leaf && node.tables.leaf_set.contains(probe.peer)) {
    note(*node.config, Mark::ping_became_leaf_probe);
    probe.leaf = true;
    ++probing_->leaves;
  }
  probe.token = next_token();
  probe.sent_at = step.now;
  probe.deadline = step.now + node.config->probe_timeout;
  probing_->deadline = std::min(probing_->deadline, probe.deadline);
  if (probe.leaf) {
    node.send(step, probe.peer, leaf_probe(node, step.now, false, probe.token));
  } else {
    node.send(step, probe.peer, Ping{probe.token});
  }
  // Where an immediate neighbour or a message waits for it each further try goes over others, too:
  // perhaps only the straight link does not work.
  const bool urgent = probe.tries > 1 && (probe.spread || suspected(probe.peer));
  // On somebody else's word alone the straight tries are enough.
  const bool doubted = last && !probe.reported;
  if (probe.leaf && (probe.relayed || doubted || urgent)) send_over_others(node, step, probe);
}

void Liveness::probe_anew(Handle peer) {
  for (Probe& probe : probes()) {
    if (probe.peer == peer) probe.tries = 1;
  }
}

LeafProbe Liveness::leaf_probe(const NodeState& node, Time now, bool reply,
                               std::uint32_t token) const {
  return {reply,
          node.member(),
          token,
          node.tables.leaf_set.members(),
          failed(node, now),
          node.upkeep.own_probe_period(*node.config)};
}

// Somebody else's word counts for one try, unless the peer was heard since. Who was declared dead
// before by mistake is given twice the time, and again twice for every further time: a pair that
// can hardly talk must not be in and out of each other's leaf sets.
unsigned Liveness::tries_allowed(const NodeState& node, Time now, const Probe& probe) const {
  const auto tries = static_cast<unsigned>(node.config->probe_retries) + 1;
  const unsigned returns = doubts_.returns(probe.peer, now - node.config->flip_memory);
  if (returns > 0) note(*node.config, Mark::unsteady_peer_given_time);
  if (returns > 0) return std::min(tries << std::min(returns, 3U), 200U);
  const bool stranger = !probe.leaf && !in_tables(node, probe.peer);
  if (PASTRY_BUG(stranger_probed_on) && stranger) return 200;
  const bool accused = probe.reported && !probe.heard;
  return (accused || stranger) && tries > 1 ? tries - 1 : tries;
}

void Liveness::ping(NodeState& node, Step& step, Handle peer, bool settling) {
  if (peer == node.self || node.id(peer) == node.self_id() || dead(node, step.now, peer)) return;
  // What peers name unasked must not make this node ping without end.
  if (!has_room_for_probe()) return;
  start_probe(node, step, {.peer = peer, .settling = settling});
}

void Liveness::release_settling() {
  for (Probe& probe : probes()) probe.settling = false;
  if (probing_) probing_->settling = 0;
}

void Liveness::suspect(NodeState& node, Step& step, Handle peer) {
  if (peer == node.self || dead(node, step.now, peer)) return;
  if (PASTRY_BUG(suspicion_is_death)) return declare_dead(node, step, peer);
  if (doubts_.suspect(peer)) {
    note(*node.config, Mark::peer_suspected);
    node.emit(step, PeerSuspected{peer});
  }
  check(node, step, peer);
}

void Liveness::check(NodeState& node, Step& step, Handle peer) {
  if (peer == node.self) return;
  start_probe(node, step, {.peer = peer, .leaf = node.tables.leaf_set.contains(peer)});
}

void Liveness::exchange(NodeState& node, Step& step, Handle peer) {
  start_probe(node, step, {.peer = peer, .leaf = true});
}

// --- End ----------------------------------------------------------------------------------------

Duration Liveness::answered(NodeState& node, Step& step, Handle from, std::uint32_t token,
                            bool active) {
  // A message that does not echo a token proves life but not that ours arrived.
  constexpr Duration kNotAnswered{-1};
  if (token == 0) return kNotAnswered;
  Time sent_at = kNever;
  bool settling = false;
  for (std::size_t i = 0; i < probes().size() && sent_at == kNever; ++i) {
    const Probe& probe = probes()[i];
    if (probe.peer != from || (probe.token != token && probe.relay_token != token)) continue;
    sent_at = probe.sent_at;
    settling = probe.settling;
    if (probe.reported) doubts_.vindicate(from, step.now, step.now + 4 * node.probe_time());
    erase_probe(i);
  }
  if (sent_at == kNever && !doubts_.relays().empty()) {
    const Duration pause = node.config->relay_retry_period;
    const Relays::Route* route = doubts_.changing_relays().answered(from, token, step.now + pause);
    if (route != nullptr) {
      note(*node.config, Mark::straight_link_works_again);
      sent_at = route->sent_at;
    }
    doubts_.release();
  }
  if (sent_at == kNever) return kNotAnswered;
  if (active && via(from) == kNoHandle) node.measured(from, step.now - sent_at);
  // Who is not active yet tells everybody near when it is. Without a place in the ring it has no
  // leaf set to answer with, and to ask it would be in vain, again and again.
  const bool lives = doubts_.lives(from, step.now);
  if (lives && active) came_back(node, step, from);
  if (settling) node.upkeep.settle(node, step);
  return step.now - sent_at;
}

// Where one of the dead came back others may: a partition healed.
void Liveness::came_back(NodeState& node, Step& step, Handle peer) {
  if (!node.placed()) return;
  note(*node.config, Mark::dead_peer_came_back);
  if (node.tables.leaf_set.would_admit(node.id(peer))) node.leases.mistaken(step.now);
  consider_leaf(node, step, peer);
  std::vector<Handle> dead;
  for (const Doubts::Death& death : remembered()) {
    if (death.leaf && node.tables.leaf_set.would_admit(node.id(death.peer))) {
      dead.push_back(death.peer);
    }
  }
  node.sort_nearest_first(dead);
  if (dead.size() > kReunitedMax) dead.resize(kReunitedMax);
  if (!dead.empty()) note(*node.config, Mark::others_tried_with_it);
  for (const Handle other : dead) exchange(node, step, other);
}

void Liveness::erase_probe(std::size_t index) {
  std::vector<Probe>& running = probing_->probes;
  if (running[index].leaf) --probing_->leaves;
  if (running[index].settling) --probing_->settling;
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
    declare_dead(node, step, probe.peer, probe.beyond);
  } else {
    note(*node.config, Mark::stranger_did_not_answer);
    // Joiners of a batch need not stand in the owner's leaf set, and the gap waits for each.
    doubts_.drop(probe.peer);
    remember_dead(node, step.now, probe.peer, probe.leaf);
    if (node.joiner) node.joiner->peer_gone(probe.peer);
    node.leases.departed(node, step, probe.peer, Departure::died_inactive);
    if (node.gap) node.gap->peer_gone(node, step, probe.peer);
    if (probe.leaf) fill_leaf_set(node, step);  // its place among the candidates is free
  }
  if (probe.settling) node.upkeep.settle(node, step);
}

bool Liveness::silent(Handle peer) const {
  const std::span<const Probe> running = probes();
  return std::any_of(running.begin(), running.end(), [peer](const Probe& probe) {
    return probe.peer == peer && probe.leaf && probe.tries > 1;
  });
}

// The neighbours of a silent node tell, the left one also of others that are silent then.
bool Liveness::accuses(const NodeState& node, const Probe& probe) const {
  const LeafSet& leaves = node.tables.leaf_set;
  if (!probe.leaf) return false;
  if (!leaves.contains(probe.peer)) {  // a candidate that would be the right neighbour
    return !leaves.right().empty() &&
           clockwise_distance(node.self_id(), node.id(probe.peer)) <
               clockwise_distance(node.self_id(), node.id(leaves.right_neighbour()));
  }
  return probe.spread || probe.peer == leaves.left_neighbour() || silent(leaves.right_neighbour());
}

// Told after the first unanswered probe, so that everybody has a verdict at about the same time.
// The left neighbour tells its whole leaf set; of those that have the silent one in theirs only the
// farthest on the right is not in it, and is told by the right neighbour, which also tells the left
// one: the two find out at the same time. Where several side by side are silent, these two are the
// nodes at the edges.
void Liveness::accuse(NodeState& node, Step& step, Handle peer) {
  const LeafSet& leaves = node.tables.leaf_set;
  const std::span<const Handle> right = leaves.right();
  const auto is_heard = [this](Handle member) { return !silent(member); };
  if (peer == leaves.right_neighbour()) {
    note(*node.config, Mark::death_spread);
    const auto edge = std::find_if(right.begin(), right.end(), is_heard);
    if (edge != right.end()) exchange(node, step, *edge);
    tell_doubts(node, step, leaves.members());
  } else if (peer == leaves.left_neighbour()) {
    const auto gone =
        static_cast<std::size_t>(std::count_if(leaves.left().begin(), leaves.left().end(),
                                               [this](Handle member) { return silent(member); }));
    const auto half = static_cast<std::size_t>(leaves.capacity() / 2);
    const auto edge = std::find_if(leaves.left().begin(), leaves.left().end(), is_heard);
    if (edge != leaves.left().end()) exchange(node, step, *edge);
    const std::size_t end = std::min(right.size(), half - 1);
    const std::size_t begin = half - 1 - std::min(half - 1, std::max<std::size_t>(gone, 1));
    tell_doubts(node, step, {right.begin() + std::min(begin, end), right.begin() + end});
  } else {
    const auto edge = std::find_if(right.begin(), right.end(), is_heard);
    if (edge != right.end()) exchange(node, step, *edge);
  }
}

// They need not answer: what they know and this node does not, they tell when they fill the place.
void Liveness::tell_doubts(NodeState& node, Step& step, const std::vector<Handle>& members) {
  const LeafProbe doubts = leaf_probe(node, step.now, true, 0);
  for (const Handle member : members) {
    if (!probing(member)) node.send(step, member, LeafProbe(doubts));
  }
}

void Liveness::first_silence(NodeState& node, Step& step, const std::vector<Handle>& peers) {
  std::vector<Handle> accused;
  bool candidate = false;
  for (const Probe& probe : probes()) {
    if (std::find(peers.begin(), peers.end(), probe.peer) == peers.end()) continue;
    candidate |= !node.tables.leaf_set.contains(probe.peer);
    if (accuses(node, probe)) accused.push_back(probe.peer);
  }
  for (const Handle peer : accused) accuse(node, step, peer);
  // Others need not wait for its end; whom it kept out, the farthest members know.
  if (candidate) repair_leaf_set(node, step, true, true);
}

void Liveness::check_probes(NodeState& node, Step& step) {
  if (!probing_ || probing_->deadline > step.now) return;
  std::vector<Probe> failed;
  std::vector<Handle> unheard;
  for (std::size_t i = 0; i < probes().size();) {
    Probe& probe = probes()[i];
    if (probe.deadline > step.now) {
      ++i;
    } else if (step.now - probe.deadline >= node.config->probe_timeout) {
      note(*node.config, Mark::own_stall_noticed);
      // This node did not run when the time was up: the answer may still wait to be read.
      send_probe(node, step, probe);
      ++i;
    } else if (probe.tries < tries_allowed(node, step.now, probe) ||
               PASTRY_BUG(never_declared_dead)) {
      note(*node.config, Mark::probe_repeated);
      const bool was_leaf = probe.leaf;
      ++probe.tries;
      send_probe(node, step, probe);  // a ping of a leaf may become a leaf probe
      if (probe.leaf && (probe.tries == 2 || !was_leaf)) unheard.push_back(probe.peer);
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
  first_silence(node, step, unheard);
  for (const Probe& probe : failed) probe_failed(node, step, probe);
  if (failed.empty()) return;
  node.go_on_alone_if_so(step);
  node.activate_if_ready(step);
}

}  // namespace pastry
