// The neighbourhood set M: the |M| nodes nearest by the proximity metric [Pastry §2.1].
//
// Kept for locality (joining nodes, nearest nodes), not for ordinary routing, except in its rare
// case. Sorted nearest first; no duplicates; never the own id; members of unknown distance last.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/prefetch.h"
#include "proximity/proximity.h"

namespace pastry {

class NeighbourhoodSet {
 public:
  // `directory` and `self` must outlive this. `size` = |M|, >= 0.
  NeighbourhoodSet(const Directory& directory, const NodeId& self, int size);
  NeighbourhoodSet(const Directory& directory, const NodeId&& self, int size) = delete;
  // A copy that belongs to `self`, the same id elsewhere.
  NeighbourhoodSet(const NeighbourhoodSet& other, const NodeId& self);

  // Takes `node` in if there is room or it is nearer than the farthest; updates the distance of a
  // member; replaces the same id with a lower incarnation. True if the membership changed.
  bool consider(Handle node, proximity::Proximity proximity);
  bool remove(Handle node);
  void clear();

  bool contains(Handle node) const;
  std::size_t size() const { return members_.size(); }
  bool full() const { return members_.size() == capacity_; }
  // rank < size().
  Handle at(std::size_t rank) const { return members_[rank].node(); }
  proximity::Proximity proximity_at(std::size_t rank) const { return members_[rank].proximity; }
  // Unknown for who is no member, too.
  proximity::Proximity distance(Handle node) const {
    for (const Member& member : members_) {
      if (member.node() == node) return member.proximity;
    }
    return {};
  }
  std::vector<Handle> members() const;
  // Brings the members into the processor's cache.
  void prefetch() const {
    for (std::size_t i = 0; i < members_.size(); i += 8) prefetch_line(&members_[i]);
  }

 private:
  // Six bytes: the handle in two halves, so that nothing is lost to alignment.
  struct Member {
    Member(Handle node, proximity::Proximity distance)
        : halves(std::bit_cast<Halves>(node)), proximity(distance) {}
    Handle node() const { return std::bit_cast<Handle>(halves); }

    using Halves = std::array<std::uint16_t, 2>;
    Halves halves;
    proximity::Proximity proximity;
  };
  static_assert(sizeof(Member) == 6);

  // Whether the member is as far away as before and stays in its place.
  bool stays(std::vector<Member>::const_iterator member, proximity::Proximity distance) const;
  void insert_sorted(Member member);

  const Directory* directory_;
  const NodeId* self_;
  std::vector<Member> members_;
  std::uint8_t capacity_;
};

}  // namespace pastry
