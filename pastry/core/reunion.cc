// How rings that a partition left apart become one: the dead are not forgotten but tried now and
// then, and asked for the own place in their ring. The exchange of leaf sets does the rest.
#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"
#include "pastry/core/upkeep.h"

namespace pastry {

namespace {

constexpr std::uint16_t kSeekHopsMax = 64;
// One round of so many is used where nothing looks like a partition.
constexpr std::uint64_t kRarely = 20;
// So many rounds long a node that came back looks for a ring over whoever answered it then.
constexpr std::int64_t kReturnRounds = 4;

}  // namespace

// Two tries a round. One goes to a dead leaf: it stood near, so its leaf set and ours overlap. The
// other goes over any of the remembered peers, which may have been far away, towards the own id.
// All take their turn: perhaps only one of them still has the address that is known here.
void Upkeep::seek_reunion(NodeState& node, Step& step) {
  if (PASTRY_BUG(partition_not_healed)) return;
  seek_first_contact(node, step);
  const auto& remembered = node.liveness.remembered();
  std::vector<Handle> leaves;
  std::vector<Handle> named;
  for (const Doubts::Death& death : remembered) {
    if (!death.leaf || !node.tables.leaf_set.would_admit(node.id(death.peer))) continue;
    (death.named ? named : leaves).push_back(death.peer);
  }
  const bool small = node.alone || node.tables.leaf_set.knows_whole_ring();
  const bool doubtful = !named.empty() || small || cut_off(node) ||
                        node.liveness.mistaken(step.now - node.config->flip_memory);
  if (!doubtful && node.random.below(kRarely) != 0) return;
  ++reunion_round_;
  if (!named.empty()) leaves = named;
  if (!leaves.empty()) {
    note(*node.config, Mark::dead_leaf_tried);
    const Handle peer = leaves[reunion_round_ % leaves.size()];
    node.liveness.tried(peer, step.now);
    node.send(step, peer, node.liveness.leaf_probe(node, step.now, false, 0));
  }
  if (node.alone && bootstrap_ != kNoHandle) {
    // Each time: whom the operator named is there more likely than any one of the many that were
    // there when this node was last.
    note(*node.config, Mark::bootstrap_tried);
    seek_over(node, step, bootstrap_);
  }
  if (remembered.empty()) return;
  seek_over(node, step, remembered[reunion_round_ % remembered.size()].peer);
}

// Who came back may have got into one of several rings that were founded side by side: it asks
// somebody who answered it then and is no neighbour of its.
void Upkeep::seek_first_contact(NodeState& node, Step& step) {
  if (PASTRY_BUG(first_contact_forgotten)) return;
  const bool came_back = node.directory->incarnation(node.self) > 1;
  const Time active_since{seconds(active_since_s_)};
  if (!came_back || bootstrap_ == kNoHandle || node.tables.leaf_set.contains(bootstrap_) ||
      step.now - active_since >= node.config->reunion_period * kReturnRounds) {
    return;
  }
  note(*node.config, Mark::bootstrap_tried);
  seek_over(node, step, bootstrap_);
}

// Leaves that die one by one are gone; a good part of them, silent at once, may stand behind a cut.
// Whoever is on the smaller side of one loses at least a quarter: of the leaves that it had then. A
// ring that grew since behind the cut is no reason to doubt less: perhaps nobody else in it knows
// anybody beyond, least of all where it was founded again because nobody answered.
bool Upkeep::cut_off(const NodeState& node) {
  const Duration window = node.config->lease + node.probe_time();
  std::vector<Doubts::Death> deaths;  // in their order, like those remembered
  for (const Doubts::Death& death : node.liveness.remembered()) {
    if (death.leaf && !death.left) deaths.push_back(death);
  }
  bool many = false;
  for (std::size_t first = 0, last = 0; last < deaths.size(); ++last) {
    while (deaths[last].since - deaths[first].since > window) ++first;
    const std::size_t together = last - first + 1;
    many |= 4 * together >= deaths[last].others + together;
  }
  if (many) note(*node.config, Mark::partition_suspected);
  return many;
}

void Upkeep::seek_place(NodeState& node, Step& step) {
  std::vector<Handle> known;
  node.tables.for_each_beyond_leaves([&](Handle peer) { known.push_back(peer); });
  if (!known.empty()) seek_over(node, step, known[node.random.below(known.size())]);
}

void Upkeep::seek_over(NodeState& node, Step& step, Handle peer) {
  // If it came back meanwhile it has another incarnation, on the same address.
  node.send(step, peer, Seek{node.self, 0});
}

void Upkeep::seek_ring(NodeState& node, Step& step, Handle peer) {
  if (node.id(peer) == node.self_id()) return;
  bootstrap_ = peer;
  seek_over(node, step, peer);
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const Seek& seek) {
  (void)from;
  const LeafSet& leaves = node.tables.leaf_set;
  if (!node.member() || seek.seeker == kNoHandle || leaves.contains(seek.seeker)) return;
  const NodeId& id = node.id(seek.seeker);
  if (id == node.self_id() || seek.hops >= kSeekHopsMax) return;
  // The seeker itself, if known, is no way to its place in this ring.
  std::vector<Handle> excluded = node.liveness.suspects();
  excluded.push_back(seek.seeker);
  const NextHop next = next_hop(*node.directory, node.tables, id, excluded);
  if (next.node == kNoHandle || node.id(next.node) == id) {
    if (!node.liveness.has_room_for_probe()) {
      ++node.counters.refused;
      return;
    }
    note(*node.config, Mark::lost_node_found);
    node.liveness.exchange(node, step, seek.seeker);
  } else {
    note(*node.config, Mark::seek_passed_on);
    node.send(step, next.node, Seek{seek.seeker, static_cast<std::uint16_t>(seek.hops + 1)});
  }
}

}  // namespace pastry
