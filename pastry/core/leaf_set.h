// The leaf set L: the l/2 nodes with the nearest smaller and the l/2 with the nearest larger ids.
//
// Source: [Pastry §2.1]. Smaller and larger are meant on the ring: left() goes down from the node's
// own id, right() goes up, both wrap. In a ring of fewer than l + 1 nodes the sides overlap: a node
// may stand in both, and the leaf set then knows the whole ring.
//
// Invariants: each side sorted by distance in its direction, nearest first, at most l/2 long; never
// contains the own id; at most one handle per id, the one with the highest incarnation. Each side
// is without holes: a member that lies between the own id and the outermost of a side stands in
// that side. A side that lost members is filled by what is inserted, not from the other side: the
// ring may well have nearer nodes that are not known yet.
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

  const NodeId& self() const { return self_; }

  // Takes `node` into each side where it is among the nearest l/2; what no longer fits leaves.
  // Replaces the same id with a lower incarnation; keeps one with a higher. True if anything
  // changed.
  bool insert(Handle node);
  // True if it was a member.
  bool remove(Handle node);
  void clear();

  bool contains(Handle node) const { return holds(sides_, node); }
  // The member with this id, whatever its incarnation, or kNoHandle.
  Handle find(const NodeId& id) const;
  // Whether insert(id) would change the set if the id is new (false for own and member ids).
  bool would_admit(const NodeId& id) const;

  // Whether `id` lies so near that a side would take it, were it new; cheap.
  bool within_reach(const NodeId& id) const {
    return admits(id, Side::left) || admits(id, Side::right);
  }
  // How many members of the side are nearer to the own id, in its direction, than `id` is.
  std::size_t nearer_left(const NodeId& id) const { return rank(self_ - id, Side::left); }
  std::size_t nearer_right(const NodeId& id) const { return rank(id - self_, Side::right); }

  // Nearest first; may share members in a small ring. Valid until the next change.
  std::span<const Handle> left() const { return {sides_.data(), left_size_}; }
  std::span<const Handle> right() const {
    return {sides_.data() + left_size_, sides_.size() - left_size_};
  }
  // The immediate neighbours on the ring, or kNoHandle. The same node in a ring of two.
  Handle left_neighbour() const { return left().empty() ? kNoHandle : left().front(); }
  Handle right_neighbour() const { return right().empty() ? kNoHandle : right().front(); }

  // Every member once, in ring order from the farthest on the left to the farthest on the right.
  std::vector<Handle> members() const;
  std::size_t distinct_size() const;
  bool empty() const { return sides_.empty(); }

  // Some node stands in both sides (or there is none at all): the whole ring is known.
  bool knows_whole_ring() const { return knows_whole_ring_; }
  // Both sides full, or the whole ring known.
  bool complete() const;
  // Whether `key` lies between the outermost members (inclusive), or the whole ring is known.
  bool covers(const Key& key) const {
    return knows_whole_ring_ || key - self_ <= right_reach_ || self_ - key <= left_reach_;
  }

  // Of the members and the own id, the closest to `key` (`closer` of id.h); kNoHandle means: the
  // node itself.
  Handle closest(const Key& key) const;
  // The members and the node itself (as kNoHandle) sorted by distance to `key`, at most `count`.
  std::vector<Handle> closest(const Key& key, std::size_t count) const;

  // l, and 2^128 / N estimated as the mean spacing of the members; 2^127 if alone.
  int capacity() const { return half_ * 2; }
  Id mean_spacing() const;

 private:
  enum class Side : unsigned char { left, right };

  std::span<const Handle> side(Side which) const { return which == Side::left ? left() : right(); }
  // How far `id` is from the own id in the direction of the side.
  Id distance(const NodeId& id, Side which) const {
    return which == Side::left ? self_ - id : id - self_;
  }
  Id distance(Handle node, Side which) const { return distance(directory_->id(node), which); }
  bool full(Side which) const { return side(which).size() == half_; }
  // How many of the side are nearer than `distance`.
  std::size_t rank(const Id& distance, Side which) const;
  bool admits(const NodeId& id, Side which) const {
    const Id& reach = which == Side::left ? left_reach_ : right_reach_;
    return !full(which) || distance(id, which) < reach;
  }
  bool replace(Handle old, Handle node);
  bool insert_side(Handle node, Side which);
  void close_holes(Side which);
  void erase_at(std::size_t position, Side which);
  void update_reach();
  // The closest to `key` of the own id and the two of the side that enclose the key.
  Handle closest_within(const Key& key, Side which) const;
  Handle closer_of(const Key& key, Handle a, Handle b) const;
  const NodeId& id_of(Handle node) const {
    return node == kNoHandle ? self_ : directory_->id(node);
  }

  const Directory* directory_;
  NodeId self_;
  // Distances from the own id to the outermost of each side, zero if empty: kept here because
  // covers() is asked for every message that passes.
  Id left_reach_;
  Id right_reach_;
  std::vector<Handle> sides_;  // left side, then right side
  std::uint8_t left_size_ = 0;
  std::uint8_t half_;
  bool knows_whole_ring_ = true;
};

}  // namespace pastry
