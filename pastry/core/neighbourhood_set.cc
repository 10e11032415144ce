#include "pastry/core/neighbourhood_set.h"

#include <algorithm>
#include <iterator>

namespace pastry {
namespace {

// Capacity grows by this many members: a node's memory counts, and the set fills once.
constexpr std::size_t kGrowth = 8;

}  // namespace

using proximity::Proximity;

NeighbourhoodSet::NeighbourhoodSet(const Directory& directory, const NodeId& self, int size)
    : directory_(&directory), self_(&self), capacity_(static_cast<std::uint8_t>(size)) {}

NeighbourhoodSet::NeighbourhoodSet(const NeighbourhoodSet& other, const NodeId& self)
    : NeighbourhoodSet(other) {
  self_ = &self;
}

bool NeighbourhoodSet::consider(Handle node, Proximity distance) {
  const NodeId& id = directory_->id(node);
  if (id == *self_ || capacity_ == 0) return false;
  auto known = std::find_if(members_.begin(), members_.end(),
                            [node](const Member& member) { return member.node() == node; });
  if (known == members_.end() && directory_->has_twins(node)) {
    known = std::find_if(members_.begin(), members_.end(),
                         [&](const Member& member) { return directory_->id(member.node()) == id; });
  }
  if (known != members_.end()) {
    const bool same = known->node() == node;
    if (same && (!distance.known() || stays(known, distance))) return false;
    if (!same && directory_->incarnation(known->node()) >= directory_->incarnation(node)) {
      return false;
    }
    members_.erase(known);
    insert_sorted({node, distance});
    return !same;
  }
  if (members_.size() == capacity_) {
    if (distance >= members_.back().proximity) return false;
    members_.pop_back();
  }
  insert_sorted({node, distance});
  return true;
}

bool NeighbourhoodSet::remove(Handle node) {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [node](const Member& member) { return member.node() == node; });
  if (found == members_.end()) return false;
  members_.erase(found);
  return true;
}

void NeighbourhoodSet::clear() { members_.clear(); }

bool NeighbourhoodSet::contains(Handle node) const {
  return std::any_of(members_.begin(), members_.end(),
                     [node](const Member& member) { return member.node() == node; });
}

std::vector<Handle> NeighbourhoodSet::members() const {
  std::vector<Handle> result;
  result.reserve(members_.size());
  for (const Member& member : members_) result.push_back(member.node());
  return result;
}

bool NeighbourhoodSet::stays(std::vector<Member>::const_iterator member, Proximity distance) const {
  const auto next = std::next(member);
  return member->proximity == distance && (next == members_.end() || distance < next->proximity);
}

// Behind members of the same distance: who came first stays in front.
void NeighbourhoodSet::insert_sorted(Member member) {
  if (members_.size() == members_.capacity()) {
    members_.reserve(std::min<std::size_t>(members_.size() + kGrowth, capacity_));
  }
  const auto position =
      std::upper_bound(members_.begin(), members_.end(), member.proximity,
                       [](Proximity a, const Member& b) { return a < b.proximity; });
  members_.insert(position, member);
}

}  // namespace pastry
