#include "pastry/core/node_state.h"

#include <algorithm>

#include "pastry/core/metric.h"
#include "pastry/core/nearness.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

NodeState::NodeState(Node& owner, const Config& node_config, Directory& node_directory,
                     Handle own_handle, std::uint64_t seed)
    : node(&owner),
      config(&node_config),
      directory(&node_directory),
      self(own_handle),
      tables(node_directory, node_directory.id(own_handle), node_config.digit_bits,
             node_config.leaf_set, node_config.neighbourhood),
      random(seed) {}

Application* NodeState::application(ApplicationId wanted) const {
  for (const auto& [id, application] : applications) {
    if (id == wanted) return application;
  }
  return nullptr;
}

Gap& NodeState::gap_state() {
  if (!gap) gap = std::make_unique<Gap>();
  return *gap;
}

void NodeState::send(Step& step, Handle to, Message&& message, Priority priority) {
  const Handle via = liveness.via(to);
  if (via == kNoHandle) return send_straight(step, to, std::move(message), priority);
  send_straight(step, via,
                Relay{self, to, std::make_shared<const Enclosed>(Enclosed{std::move(message)})},
                priority);
}

void NodeState::send_straight(Step& step, Handle to, Message&& message, Priority priority) {
  step.out->sends.emplace_back(to, priority, std::move(message));
}

void NodeState::send_direct(Step& step, Handle to, Direct&& direct, Priority priority) {
  if (to == self) {
    step.work.emplace_back(LocalDirect{std::move(direct)});
  } else if (id(to) == self_id()) {
    ++counters.dropped;  // what an earlier incarnation of this node asked for nobody waits for
  } else {
    send(step, to, std::move(direct), priority);
  }
}

void NodeState::sort_nearest_first(std::vector<Handle>& peers) const {
  const NodeId& center = self_id();
  std::sort(peers.begin(), peers.end(), [&](Handle a, Handle b) {
    const Id da = ring_distance(center, id(a));
    const Id db = ring_distance(center, id(b));
    return da != db ? da < db : index(a) < index(b);
  });
}

bool NodeState::knows_replica_set(const Key& key, int k) const {
  // After a death the sides may overlap for a moment although the ring is larger: the set is sure
  // to be whole only when nobody is left to be asked.
  if (tables.leaf_set.knows_whole_ring() && liveness.probing_leaves()) return false;
  return pastry::knows_replica_set(*directory, tables, self, key, k);
}

void NodeState::insert_leaf(Step& step, Handle peer) {
  if (peer == self || id(peer) == self_id()) return;
  liveness.replace_older(*this, step, peer);
  const bool was_member = tables.leaf_set.contains(peer);
  const bool known =
      was_member && tables.leaf_set.complete() && !tables.leaf_set.knows_whole_ring();
  if (known && !directory->has_twins(peer)) return;  // it would change nothing
  const bool was_empty = tables.leaf_set.empty();
  const std::vector<Handle> before = active() ? tables.leaf_set.members() : std::vector<Handle>();
  if (!tables.leaf_set.insert(peer)) return leases.returned(*this, step, peer);
  if (was_empty && active()) leases.no_longer_alone(*this, step.now);
  alone = false;
  leases.neighbours_changed(*this, step);
  // Only now: its place in the leaf set, not a guard, bounds the keys of this node.
  leases.returned(*this, step, peer);
  liveness.relays_pushed_out(*this, step);
  if (!active()) return;
  emit(step, LeafSetChanged{});
  for (const auto& [app_id, application] : applications) {
    if (!was_member) application->update(context(step, app_id), peer, PeerChange::joined);
    // Who was pushed out of the set by the newcomer left it, though it lives.
    for (const Handle member : before) {
      if (!tables.leaf_set.contains(member)) {
        application->update(context(step, app_id), member, PeerChange::left);
      }
    }
  }
  if (gap) gap->pump(*this, step);
}

// In a small ring a leaf may stand on both sides: where it is nearer.
Leases::LeafPlace NodeState::leaf_place(Handle peer) const {
  const LeafSet& leaves = tables.leaf_set;
  const bool nearer_right = id(peer) - self_id() < self_id() - id(peer);
  const bool right = holds(leaves.right(), peer) && (nearer_right || !holds(leaves.left(), peer));
  return {right, leaves.knows_whole_ring()};
}

void NodeState::remove_peer(Step& step, Handle peer, Departure how) {
  const Leases::LeafPlace place = leaf_place(peer);
  const bool leaf = tables.leaf_set.remove(peer);
  if (leaf && tables.leaf_set.knows_whole_ring()) {
    // Members of one side have room on the other one now.
    for (const Handle member : tables.leaf_set.members()) tables.leaf_set.insert(member);
  }
  const bool entry = tables.routing_table.remove(peer);
  tables.neighbourhood.remove(peer);
  if (joiner) joiner->peer_gone(peer);
  leases.departed(*this, step, peer, how);
  if (leaf && how != Departure::left) leases.leaf_lost(*this, step, peer, place);
  if (leaf) {
    emit(step, LeafSetChanged{});
    if (!tables.leaf_set.complete()) upkeep.hurry(step.now + probe_time());
  }
  liveness.relay_lost(*this, step, peer);
  if (entry) refill(id(peer));
  forwarder.peer_gone(*this, step, peer);
  if (gap) gap->peer_gone(*this, step, peer);
  operations.peer_gone(*this, step, peer);
  for (const auto& [app_id, application] : applications) {
    if (leaf && active()) application->update(context(step, app_id), peer, PeerChange::left);
    application->peer_gone(context(step, app_id), peer);
  }
}

// Whom this node knows need not be named by others: those that hold somebody nearer in that slot
// name nobody else, and who names a known one of the neighbourhood set tells nothing new.
void NodeState::refill(const NodeId& gone) {
  const int row = shared_prefix(self_id(), gone, config->digit_bits);
  const auto consider = [&](Handle peer) {
    if (shared_prefix(gone, id(peer), config->digit_bits) > row) fill_slot(peer);
  };
  for (const Handle peer : tables.neighbourhood.members()) consider(peer);
  for (const Handle peer : tables.leaf_set.members()) consider(peer);
}

void NodeState::fill_empty_slots() {
  const auto consider = [&](Handle peer) {
    if (tables.routing_table.slot_of(id(peer)).node == kNoHandle) fill_slot(peer);
  };
  for (const Handle peer : tables.neighbourhood.members()) consider(peer);
  for (const Handle peer : tables.leaf_set.members()) consider(peer);
}

void NodeState::fill_slot(Handle peer) {
  if (liveness.inactive(peer) || liveness.via(peer) != kNoHandle) return;
  const bool measured = config->metric == nullptr;
  tables.routing_table.consider(
      peer, measured ? distance_to(*directory, tables, peer) : distance(peer, {}));
}

void NodeState::measured(Handle peer, Duration round_trip) {
  if (peer == self || id(peer) == self_id() || liveness.inactive(peer)) return;
  Proximity known = distance(peer, round_trip);
  // Times vary with the load of the network; what a metric says does not.
  if (config->metric == nullptr) {
    known = proximity::filtered(distance_to(*directory, tables, peer), known);
  }
  tables.routing_table.consider(peer, known);
  tables.neighbourhood.consider(peer, known);
}

Proximity NodeState::distance(Handle peer, Duration round_trip) const {
  if (config->metric == nullptr) return Proximity::from(round_trip);
  return config->metric->distance(*directory, self, peer);
}

void NodeState::go_on_alone_if_so(Step& step) {
  if (alone || !placed() || joiner || !tables.leaf_set.empty() || liveness.probing_leaves()) return;
  if (tables.routing_table.size() + tables.neighbourhood.size() > 0) {
    liveness.fill_leaf_set(*this, step);
    return;
  }
  alone = true;
  leases.now_alone(*this, step);
  emit(step, NodeAlone{});
  activate_if_ready(step);
}

void NodeState::activate_if_ready(Step& step) {
  if (suspended()) {
    leases.probes_changed(*this, step);
    if (leases.recovered(*this, step.now)) activate(step);
    return;
  }
  if (phase != NodePhase::joining || !joiner || !joiner->admitted()) return;
  if (liveness.probing_leaves() || !leases.held_from_neighbours(*this, step.now)) return;
  activate(step);
}

void NodeState::activate(Step& step) {
  const bool back = suspended();
  const bool known = back && leases.neighbours_kept();
  phase = NodePhase::active;
  if (!back) alone = tables.leaf_set.empty();
  leases.activated(step.now);
  emit(step, NodeActivated{});
  std::vector<Handle> other_seeds;
  if (joiner) {
    upkeep.set_bootstrap(joiner->bootstrap(*this));
    report_active(step);
    other_seeds = joiner->other_seeds(*this);
  }
  if (!known) liveness.announce_leaf_set(*this, step);
  if (!back) upkeep.start(*this, step);
  if (PASTRY_BUG(first_contact_forgotten)) other_seeds.clear();
  for (const Handle seed : other_seeds) upkeep.seek_over(*this, step, seed);
  forwarder.release_kept(*this, step);
  if (gap) gap->pump(*this, step);
  tell_applications(step, true);
  joiner.reset();
}

// To those whose gap waits for it. The leaf set hears of it in any case.
void NodeState::report_active(Step& step) {
  const Handle owner = joiner->owner();
  const Handle successor = joiner->successor();
  for (const Handle peer : {owner, successor == owner ? kNoHandle : successor}) {
    if (peer == kNoHandle || tables.leaf_set.contains(peer)) continue;
    send(step, peer, JoinReport{joiner->batch(), true});
  }
}

void NodeState::tell_applications(Step& step, bool now_active) {
  for (const auto& [app_id, application] : applications) {
    application->activity(context(step, app_id), now_active);
  }
}

void NodeState::check_leases(Step& step) {
  if (active() && !leases.held(*this, step.now)) suspend(step);
}

void NodeState::suspend(Step& step) {
  phase = NodePhase::suspended;
  emit(step, NodeDeactivated{"a lease of a neighbour ran out"});
  tell_applications(step, false);
  leases.suspended(*this, step);
}

void NodeState::resign(Step& step, const char* reason) {
  if (!member()) return;
  std::vector<Handle> seeds = tables.neighbourhood.members();
  const auto add = [&](Handle peer) {
    if (std::find(seeds.begin(), seeds.end(), peer) == seeds.end()) seeds.push_back(peer);
  };
  tables.routing_table.for_each([&](Handle peer, Proximity) { add(peer); });
  for (const Handle peer : tables.leaf_set.members()) add(peer);
  if (seeds.empty()) return;  // nobody to join: better a ring of its own than none
  const bool was_active = active();
  phase = NodePhase::joining;
  emit(step, NodeDeactivated{reason});
  if (was_active) tell_applications(step, false);
  tables.leaf_set.clear();
  leases.resigned();
  leases.neighbours_changed(*this, step);
  forwarder.hand_back(*this);
  gap.reset();
  joiner = std::make_unique<Joiner>(*this, step.now, true);
  joiner->add_seeds(*this, seeds);
  joiner->attempt(*this, step);
}

}  // namespace pastry
