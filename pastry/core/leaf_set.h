// The leaf set L: the l/2 nodes with the nearest smaller and the l/2 with the nearest larger ids.
//
// Source: [Pastry §2.1]. Smaller and larger are meant on the ring: left() goes down from the node's
// own id, right() goes up, both wrap. In a ring of fewer than l + 1 nodes the sides overlap: a node
// may stand in both, and the leaf set then knows the whole ring.
//
// Invariants: each side sorted by distance in its direction, nearest first, at most l/2 long; never
// contains the own id; at most one handle per id, the one with the highest incarnation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/id.h"

namespace pastry {

class LeafSet {
 public:
  // `directory` must outlive this. `size` = l, even, >= 2.
  LeafSet(const Directory& directory, const NodeId& self, int size);

  // Takes `node` into each side where it is among the nearest l/2; what no longer fits leaves.
  // Replaces the same id with a lower incarnation; keeps one with a higher. True if anything
  // changed.
  bool insert(Handle node);
  // True if it was a member.
  bool remove(Handle node);
  void clear();

  bool contains(Handle node) const;
  // The member with this id, whatever its incarnation, or kNoHandle.
  Handle find(const NodeId& id) const;
  // Whether insert(id) would change the set if the id is new (false for own and member ids).
  bool would_admit(const NodeId& id) const;

  // Nearest first; may share members in a small ring.
  std::span<const Handle> left() const { return left_; }
  std::span<const Handle> right() const { return right_; }
  // The immediate neighbours on the ring, or kNoHandle. The same node in a ring of two.
  Handle left_neighbour() const { return left_.empty() ? kNoHandle : left_.front(); }
  Handle right_neighbour() const { return right_.empty() ? kNoHandle : right_.front(); }

  // Every member once, in ring order from the farthest on the left to the farthest on the right.
  std::vector<Handle> members() const;
  std::size_t distinct_size() const;
  bool empty() const { return left_.empty() && right_.empty(); }

  // Some node stands in both sides (or there is none at all): the whole ring is known.
  bool knows_whole_ring() const;
  // Both sides full, or the whole ring known.
  bool complete() const;
  // Whether `key` lies between the outermost members (inclusive), or the whole ring is known.
  bool covers(const Key& key) const;

  // Of the members and the own id, the closest to `key` (`closer` of id.h); kNoHandle means: the
  // node itself.
  Handle closest(const Key& key) const;
  // The members and the node itself (as kNoHandle) sorted by distance to `key`, at most `count`.
  std::vector<Handle> closest(const Key& key, std::size_t count) const;

  // l, and 2^128 / N estimated as the mean spacing of the members; 2^127 if alone.
  int capacity() const { return half_ * 2; }
  Id mean_spacing() const;

 private:
  bool insert_side(std::vector<Handle>& side, Handle node, bool upwards);
  Id distance(Handle node, bool upwards) const;

  const Directory* directory_;
  NodeId self_;
  std::int32_t half_;
  std::vector<Handle> left_;
  std::vector<Handle> right_;
};

}  // namespace pastry
