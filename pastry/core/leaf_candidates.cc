// Who may belong into the leaf set, and is probed for it [MSPastry §3.1].
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <utility>
#include <vector>

#include "pastry/core/liveness.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// The l/2 nearest of the members of a side and of candidates. Of the members only those at the end
// are looked at, and only when a candidate takes their place.
class Nearest {
 public:
  Nearest(const NodeState& node, bool right, std::pmr::memory_resource* memory)
      : node_(&node),
        candidates_(memory),
        half_(static_cast<std::size_t>(node.tables.leaf_set.capacity() / 2)),
        right_(right) {
    members_ = side().size();
    candidates_.reserve(half_);
    update_farthest();
  }

  void add(const Id& distance) {
    if (full()) {
      if (farthest_ <= distance) return;
      drop_farthest();
    }
    const auto place = std::upper_bound(candidates_.begin(), candidates_.end(), distance);
    candidates_.insert(place, distance);
    update_farthest();
  }
  bool admits(const Id& distance) const { return distance <= farthest_; }

 private:
  std::span<const Handle> side() const {
    const LeafSet& leaves = node_->tables.leaf_set;
    return right_ ? leaves.right() : leaves.left();
  }
  bool full() const { return members_ + candidates_.size() == half_; }
  void drop_farthest() {
    if (!candidates_.empty() && candidates_.back() == farthest_) {
      candidates_.pop_back();
    } else {
      --members_;
    }
  }
  void update_farthest() {
    if (!full()) return;
    farthest_ = candidates_.empty() ? Id() : candidates_.back();
    if (members_ == 0) return;
    const NodeId& id = node_->id(side()[members_ - 1]);
    farthest_ = std::max(farthest_, right_ ? id - node_->self_id() : node_->self_id() - id);
  }

  const NodeState* node_;
  std::pmr::vector<Id> candidates_;      // nearest first
  Id farthest_{UINT64_MAX, UINT64_MAX};  // how far away the last one is, once there are l/2
  std::size_t members_ = 0;              // so many of the side are among them
  std::size_t half_;
  bool right_;
};

// How far away a leaf candidate may be in each direction to be among the l/2 nearest members and
// outstanding candidates.
class Frontier {
 public:
  Frontier(const NodeState& node, std::pmr::memory_resource* memory)
      : self_(node.self_id()), up_(node, true, memory), down_(node, false, memory) {}

  void add(const NodeId& candidate) {
    up_.add(candidate - self_);
    down_.add(self_ - candidate);
  }
  bool admits(const NodeId& id) const { return up_.admits(id - self_) || down_.admits(self_ - id); }
  // How far away `id` is in the directions in which it would be admitted: who is too far on one
  // side is on the other one farther than all between, however near it is as the crow flies.
  Id distance(const NodeId& id) const {
    const bool upwards = up_.admits(id - self_);
    const bool downwards = down_.admits(self_ - id);
    if (upwards == downwards) return ring_distance(self_, id);
    return upwards ? id - self_ : self_ - id;
  }

 private:
  NodeId self_;
  Nearest up_;
  Nearest down_;
};

}  // namespace

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
    // Where everybody else should know by now: perhaps the mistake is here, and it got leases
    // since.
    doubts_.set_named(peer, step.now - node.config->lease);
    return;
  }
  const Handle known = node.tables.leaf_set.find(id);
  if (known != kNoHandle &&
      node.directory->incarnation(known) >= node.directory->incarnation(peer)) {
    return;
  }
  if (known == kNoHandle && (!node.tables.leaf_set.within_reach(id) || !among_nearest(node, id))) {
    return;
  }
  if (PASTRY_BUG(gossiped_leaf_unprobed)) return node.insert_leaf(step, peer);
  start_probe(node, step, {.peer = peer, .leaf = true});
}

void Liveness::consider_leaves(NodeState& node, Step& step, std::span<const Handle> peers) {
  if (!node.placed()) return;
  const LeafSet& leaves = node.tables.leaf_set;
  const Directory& directory = *node.directory;
  // Room for what a leaf set names; the heap has more for whoever brings more.
  std::array<std::byte, 4096> room;
  std::pmr::monotonic_buffer_resource memory(room.data(), room.size());
  // Most are too far away, are members, or are being probed already: only the others are worth an
  // order.
  std::pmr::vector<Handle> possible(&memory);
  for (const Handle peer : peers) {
    const NodeId& id = node.id(peer);
    if (!leaves.within_reach(id) && !directory.has_twins(peer)) continue;
    if (id == node.self_id() || leaves.contains(peer)) continue;
    const bool asked = std::any_of(probes().begin(), probes().end(), [peer](const Probe& probe) {
      return probe.peer == peer && probe.leaf && !probe.reported;
    });
    if (!asked) possible.push_back(peer);
  }
  if (possible.empty()) return;
  if (possible.size() == 1) {  // nothing to order
    const Handle peer = possible.front();
    if (directory.has_twins(peer) || among_nearest(node, node.id(peer))) {
      consider_leaf(node, step, peer);
    }
    return;
  }
  Frontier reach(node, &memory);
  for (const Probe& probe : probes()) {
    const bool candidate = probe.leaf && probe.tries <= 1 && !leaves.contains(probe.peer);
    if (candidate) reach.add(node.id(probe.peer));
  }
  std::pmr::vector<std::pair<Id, Handle>> nearest_first(&memory);
  nearest_first.reserve(possible.size());
  for (const Handle peer : possible) {
    nearest_first.emplace_back(reach.distance(node.id(peer)), peer);
  }
  std::sort(nearest_first.begin(), nearest_first.end());
  for (const auto& [distance, peer] : nearest_first) {
    if (!reach.admits(node.id(peer)) && !directory.has_twins(peer)) continue;
    const std::uint32_t token = last_token_;
    consider_leaf(node, step, peer);
    if (last_token_ != token) reach.add(node.id(peer));  // it is probed now and takes a place
  }
}

// A leaf that stands among those of a peer without being one of them may have died unnoticed: where
// its neighbours had taken it for dead before by mistake, nobody tells of its death.
void Liveness::probe_unlisted(NodeState& node, Step& step, Handle from,
                              const std::vector<Handle>& listed) {
  if (listed.empty()) return;
  const NodeId& first = node.id(listed.front());
  const Id span = node.id(listed.back()) - first;  // they are in ring order
  for (const Handle peer : node.tables.leaf_set.members()) {
    if (node.id(peer) - first >= span || peer == from || holds(listed, peer)) continue;
    // A newcomer may not be known everywhere yet.
    if (inactive(peer) || doubts_.vindicated(peer, step.now)) continue;
    note(*node.config, Mark::unlisted_leaf_probed);
    start_probe(node, step, {.peer = peer, .leaf = true, .reported = true});
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

}  // namespace pastry
