// Death, and what fills the place in the leaf set [MSPastry §3.1, §4.1].
#include <algorithm>

#include "pastry/core/liveness.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

// --- Death --------------------------------------------------------------------------------------

void Liveness::remember_dead(NodeState& node, Time now, Handle peer, bool leaf) {
  if (PASTRY_BUG(dead_purged)) return;
  const std::size_t dead_max = PASTRY_BUG(dead_list_unbounded) ? SIZE_MAX : node.config->failed_max;
  if (doubts_.dead().size() >= dead_max) note(*node.config, Mark::dead_list_full);
  const LeafSet& leaves = node.tables.leaf_set;
  Doubts::Death death{.peer = peer, .since = now, .leaf = leaf};
  const std::size_t others = leaves.distinct_size() - (leaves.contains(peer) ? 1 : 0);
  death.others = static_cast<std::uint8_t>(others);  // l is 128 at most
  doubts_.set_dead(death, dead_max);
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
  if (PASTRY_BUG(half_leaf_set_unrepaired)) return;
  const LeafSet& leaves = node.tables.leaf_set;
  std::vector<Handle> nearer;
  const auto look = [&](Handle peer) {
    const NodeId& id = node.id(peer);
    const bool between = leaves.nearer_left(id) == 0 || leaves.nearer_right(id) == 0;
    if (between && !leaves.contains(peer) && !suspected(peer)) nearer.push_back(peer);
  };
  node.tables.for_each_beyond_leaves(look);
  if (!nearer.empty()) consider_leaves(node, step, nearer);
}

void Liveness::fill_leaf_set(NodeState& node, Step& step) {
  if (PASTRY_BUG(half_leaf_set_unrepaired)) return;
  const LeafSet& leaves = node.tables.leaf_set;
  if (!node.placed() || (leaves.complete() && !leaves.knows_whole_ring())) return;
  // In a small ring the sides overlap, and after many deaths they seem to: whoever is known beyond
  // them tells.
  std::vector<Handle> known;
  node.tables.for_each_beyond_leaves([&](Handle peer) {
    if (!suspected(peer)) known.push_back(peer);
  });
  consider_leaves(node, step, known);
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
  if (!node.directory->has_twins(newer)) return;
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
