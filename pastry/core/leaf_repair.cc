// Death, and what fills the place in the leaf set [MSPastry §3.1, §4.1].
#include <algorithm>
#include <optional>

#include "pastry/core/liveness.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// How far away a leaf candidate may be in each direction to be among the l/2 nearest members and
// outstanding candidates; unset: any distance.
struct Frontier {
  std::optional<Id> up;
  std::optional<Id> down;

  bool admits(const NodeId& self, const NodeId& id) const {
    return !up || id - self <= *up || !down || self - id <= *down;
  }
  // How far away `id` is in the directions in which it would be admitted: who is too far on one
  // side is on the other one farther than all between, however near it is as the crow flies.
  Id distance(const NodeId& self, const NodeId& id) const {
    const bool upwards = !up || id - self <= *up;
    const bool downwards = !down || self - id <= *down;
    if (upwards == downwards) return ring_distance(self, id);
    return upwards ? id - self : self - id;
  }
};

// The half-th smallest, beyond which no place is left; nothing if there are fewer.
std::optional<Id> limit(std::vector<Id>& distances, std::size_t half) {
  if (distances.size() < half) return std::nullopt;
  const auto last = distances.begin() + static_cast<std::ptrdiff_t>(half) - 1;
  std::nth_element(distances.begin(), last, distances.end());
  return *last;
}

// `candidates`: those being probed for the leaf set.
Frontier frontier(const NodeState& node, const std::vector<Handle>& candidates) {
  const NodeId& self = node.self_id();
  const LeafSet& leaves = node.tables.leaf_set;
  const auto half = static_cast<std::size_t>(leaves.capacity() / 2);
  std::vector<Id> up;
  std::vector<Id> down;
  for (const Handle peer : leaves.right()) up.push_back(clockwise_distance(self, node.id(peer)));
  for (const Handle peer : leaves.left()) down.push_back(clockwise_distance(node.id(peer), self));
  for (const Handle peer : candidates) {
    if (leaves.contains(peer)) continue;
    up.push_back(clockwise_distance(self, node.id(peer)));
    down.push_back(clockwise_distance(node.id(peer), self));
  }
  return {limit(up, half), limit(down, half)};
}

}  // namespace

// --- Candidates ---------------------------------------------------------------------------------

bool Liveness::among_nearest(const NodeState& node, const NodeId& id) const {
  // Counts members and outstanding candidates that are nearer on each side: more than l/2 of them
  // leave no place for this one, so probing it would be wasted.
  const NodeId& self = node.self_id();
  const LeafSet& leaves = node.tables.leaf_set;
  const auto half = static_cast<std::size_t>(leaves.capacity() / 2);
  const Id up = clockwise_distance(self, id);
  const Id down = clockwise_distance(id, self);
  std::size_t nearer_up = leaves.nearer_right(id);
  std::size_t nearer_down = leaves.nearer_left(id);
  for (const Probe& probe : probes()) {
    if (!probe.leaf || probe.tries > 1 || leaves.contains(probe.peer)) continue;
    if (clockwise_distance(self, node.id(probe.peer)) < up) ++nearer_up;
    if (clockwise_distance(node.id(probe.peer), self) < down) ++nearer_down;
  }
  return nearer_up < half || nearer_down < half;
}

void Liveness::consider_leaf(NodeState& node, Step& step, Handle peer) {
  const NodeId& id = node.id(peer);
  if (id == node.self_id() || !node.placed()) return;  // no answer counts without a place
  // Who lacks a lease asks also for those that it found dead, if somebody else knows them between
  // it and its neighbours.
  const bool between = node.suspended() && node.leases.nearer_than_neighbours(node, id);
  if (!between && dead(node, step.now, peer)) {
    // Where everybody else should know by now: perhaps the mistake is here.
    doubts_.set_named(peer, step.now - node.config->lease, true);
    return;
  }
  const Handle known = node.tables.leaf_set.find(id);
  if (known != kNoHandle &&
      node.directory->incarnation(known) >= node.directory->incarnation(peer)) {
    return;
  }
  if (known == kNoHandle && (!node.tables.leaf_set.would_admit(id) || !among_nearest(node, id))) {
    return;
  }
  if (PASTRY_BUG(gossiped_leaf_unprobed)) return node.insert_leaf(step, peer);
  start_probe(node, step, {.peer = peer, .leaf = true});
}

void Liveness::consider_leaves(NodeState& node, Step& step, std::vector<Handle> peers) {
  // Most are members, are being probed already, or are too far away: only the others are worth an
  // order.
  if (!node.placed()) return;
  const LeafSet& leaves = node.tables.leaf_set;
  const Directory& directory = *node.directory;
  std::erase_if(peers, [&](Handle peer) {
    return leaves.contains(peer) ||
           (!leaves.within_reach(node.id(peer)) && !directory.has_twins(peer)) ||
           std::any_of(probes().begin(), probes().end(), [peer](const Probe& probe) {
             return probe.peer == peer && probe.leaf && !probe.reported;
           });
  });
  if (peers.empty()) return;
  const auto candidates = [this] {
    std::vector<Handle> result;
    for (const Probe& probe : probes()) {
      if (probe.leaf && probe.tries <= 1) result.push_back(probe.peer);
    }
    return result;
  };
  Frontier reach = frontier(node, candidates());
  const NodeId& self = node.self_id();
  std::sort(peers.begin(), peers.end(), [&](Handle a, Handle b) {
    const Id da = reach.distance(self, node.id(a));
    const Id db = reach.distance(self, node.id(b));
    return da != db ? da < db : index(a) < index(b);
  });
  for (const Handle peer : peers) {
    if (!reach.admits(node.self_id(), node.id(peer)) && !directory.has_twins(peer)) continue;
    const std::uint32_t token = last_token_;
    consider_leaf(node, step, peer);
    if (last_token_ != token)
      reach = frontier(node, candidates());  // it is probed now and takes a place
  }
}

// Whoever accuses a leaf names in the same message who would take its place: the nearest beyond the
// end of that side. Not in a small ring, where both sides may have a place for the same node.
void Liveness::note_beyond(NodeState& node, Time now, const std::vector<Handle>& listed) {
  const LeafSet& leaves = node.tables.leaf_set;
  if (!probing_ || !leaves.complete() || leaves.knows_whole_ring()) return;
  const NodeId& self = node.self_id();
  for (Probe& probe : probes()) {
    if (!probe.leaf || (!probe.reported && probe.tries <= 1)) continue;
    const bool right = holds(leaves.right(), probe.peer);
    if (!right && !holds(leaves.left(), probe.peer)) continue;
    const auto distance = [&](Handle peer) {
      return right ? node.id(peer) - self : self - node.id(peer);
    };
    const Id end = distance(right ? leaves.right().back() : leaves.left().back());
    for (const Handle peer : listed) {
      const Id away = distance(peer);
      if (away <= end || away != ring_distance(self, node.id(peer))) continue;
      if (probe.beyond != kNoHandle && away >= distance(probe.beyond)) continue;
      if (!dead(node, now, peer)) probe.beyond = peer;
    }
  }
}

// --- Death --------------------------------------------------------------------------------------

void Liveness::remember_dead(NodeState& node, Time now, Handle peer, bool leaf) {
  if (PASTRY_BUG(dead_purged)) return;
  const std::size_t dead_max = PASTRY_BUG(dead_list_unbounded) ? SIZE_MAX : node.config->failed_max;
  if (doubts_.dead().size() >= dead_max) note(*node.config, Mark::dead_list_full);
  doubts_.set_dead(peer, now, leaf, dead_max);
}

void Liveness::declare_dead(NodeState& node, Step& step, Handle peer, Handle beyond) {
  const LeafSet& leaves = node.tables.leaf_set;
  const bool was_left = holds(leaves.left(), peer);
  const bool was_right = holds(leaves.right(), peer);
  const Departure how = inactive(peer) ? Departure::died_inactive : Departure::died;
  doubts_.drop(peer);
  remember_dead(node, step.now, peer, was_left || was_right);
  node.upkeep.failed(node, step.now);
  node.emit(step, PeerDead{peer});
  node.remove_peer(step, peer, how);
  note(*node.config, was_left || was_right ? Mark::leaf_died : Mark::other_peer_died);
  if (!was_left && !was_right) return;
  if (was_left != was_right && fill_place(node, step, beyond)) return consider_nearer(node, step);
  repair_leaf_set(node, step, was_left, was_right);
}

// Its answer shows whether somebody stands still nearer.
bool Liveness::fill_place(NodeState& node, Step& step, Handle beyond) {
  if (beyond == kNoHandle || probing(beyond) || node.tables.leaf_set.contains(beyond)) return false;
  consider_leaf(node, step, beyond);
  return probing(beyond);
}

void Liveness::repair_leaf_set(NodeState& node, Step& step, bool was_left, bool was_right) {
  const LeafSet& leaves = node.tables.leaf_set;
  if (was_left && !leaves.left().empty()) exchange(node, step, leaves.left().back());
  if (was_right && !leaves.right().empty()) exchange(node, step, leaves.right().back());
  // Where one place is free the farthest member names who comes next; only for more is it worth to
  // ask others and to try whom the tables hold.
  const auto half = static_cast<std::size_t>(leaves.capacity() / 2);
  const bool nearly_complete =
      leaves.left().size() + 1 >= half && leaves.right().size() + 1 >= half;
  if (!nearly_complete || half == 1 || leaves.knows_whole_ring()) return fill_leaf_set(node, step);
  consider_nearer(node, step);
}

bool Liveness::tries_between(const NodeState& node, Handle peer, bool right) const {
  const auto distance = [&](Handle other) {
    return right ? clockwise_distance(node.self_id(), node.id(other))
                 : clockwise_distance(node.id(other), node.self_id());
  };
  const std::span<const Probe> running = probes();
  return std::any_of(running.begin(), running.end(), [&](const Probe& probe) {
    return probe.leaf && probe.tries == 1 && !probe.reported &&
           !node.tables.leaf_set.contains(probe.peer) && distance(probe.peer) < distance(peer);
  });
}

// After many deaths the next member may stand far around the ring: whoever the tables hold between
// it and this node is the real neighbour.
void Liveness::consider_nearer(NodeState& node, Step& step) {
  const LeafSet& leaves = node.tables.leaf_set;
  std::vector<Handle> nearer;
  const auto look = [&](Handle peer) {
    const NodeId& id = node.id(peer);
    const bool between = leaves.nearer_left(id) == 0 || leaves.nearer_right(id) == 0;
    if (between && !leaves.contains(peer) && !suspected(peer)) nearer.push_back(peer);
  };
  for (const Handle peer : node.tables.neighbourhood.members()) look(peer);
  node.tables.routing_table.for_each([&](Handle peer, Proximity) { look(peer); });
  if (!nearer.empty()) consider_leaves(node, step, std::move(nearer));
}

void Liveness::fill_leaf_set(NodeState& node, Step& step) {
  if (PASTRY_BUG(half_leaf_set_unrepaired)) return;
  const LeafSet& leaves = node.tables.leaf_set;
  if (!node.placed() || (leaves.complete() && !leaves.knows_whole_ring())) return;
  // In a small ring the sides overlap, and after many deaths they seem to: whoever is known beyond
  // them tells.
  std::vector<Handle> known = node.tables.neighbourhood.members();
  node.tables.routing_table.for_each([&](Handle peer, Proximity) {
    if (!holds(known, peer)) known.push_back(peer);
  });
  std::erase_if(known, [this](Handle peer) { return suspected(peer); });
  consider_leaves(node, step, std::move(known));
  if (leaves.knows_whole_ring()) return;
  // The nearest on a side knows those nearer still, the farthest those beyond.
  // Where a whole side is gone the far end of the other one leads around the ring.
  const auto half = static_cast<std::size_t>(leaves.capacity() / 2);
  std::vector<Handle> asked;
  for (const std::span<const Handle> side : {leaves.left(), leaves.right()}) {
    if (side.size() == half) continue;
    if (side.empty()) note(*node.config, Mark::whole_side_lost);
    const std::span<const Handle> other =
        side.data() == leaves.left().data() ? leaves.right() : leaves.left();
    asked.push_back(side.empty() ? other.back() : side.front());
    asked.push_back(side.empty() ? other.back() : side.back());
  }
  for (const Handle peer : asked) exchange(node, step, peer);
}

void Liveness::replace_older(NodeState& node, Step& step, Handle newer) {
  if (!node.directory->has_twins(newer) || PASTRY_BUG(incarnation_ignored)) return;
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
  if (!replaced.empty()) note(*node.config, Mark::incarnation_replaced);
  for (const Handle peer : replaced) {
    doubts_.drop(peer);
    drop_probe(peer);
    node.remove_peer(step, peer, Departure::replaced);
  }
  // The newer one comes back to its place later, and who was behind it may be dead, too.
  if (holds(replaced, leaf)) consider_nearer(node, step);
  if (node.tables.leaf_set.find(id) == kNoHandle) node.leases.returned(node, step, newer);
}

}  // namespace pastry
