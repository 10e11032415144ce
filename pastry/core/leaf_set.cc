#include "pastry/core/leaf_set.h"

#include <algorithm>
#include <array>

namespace pastry {
namespace {

// Capacity grows by this many handles: a node's memory counts, and sides fill once.
constexpr std::size_t kGrowth = 8;

// `id` / `divisor`, rounded down; long division by 32-bit limbs.
Id quotient(const Id& id, std::uint32_t divisor) {
  const std::array<std::uint64_t, 4> limbs{id.high() >> 32, id.high() & 0xffffffffU, id.low() >> 32,
                                           id.low() & 0xffffffffU};
  std::array<std::uint64_t, 4> result{};
  std::uint64_t remainder = 0;
  for (std::size_t i = 0; i < limbs.size(); ++i) {
    const std::uint64_t part = remainder << 32 | limbs[i];
    result[i] = part / divisor;
    remainder = part % divisor;
  }
  return {result[0] << 32 | result[1], result[2] << 32 | result[3]};
}

}  // namespace

LeafSet::LeafSet(const Directory& directory, const NodeId& self, int size)
    : directory_(&directory), self_(self), half_(static_cast<std::uint8_t>(size / 2)) {}

bool LeafSet::insert(Handle node) {
  const NodeId& id = directory_->id(node);
  if (id == self_) return false;
  bool changed = false;
  if (full(Side::left) && full(Side::right)) {
    // Nothing to find and no place: what most calls come to.
    const bool twins = directory_->has_twins(node);
    if (!twins && (contains(node) || !within_reach(id))) return false;
  }
  if (const Handle known = directory_->has_twins(node) ? find(id) : kNoHandle;
      known != kNoHandle && known != node) {
    if (directory_->incarnation(known) >= directory_->incarnation(node)) return false;
    changed = replace(known, node);
  }
  changed |= insert_side(node, Side::left);
  changed |= insert_side(node, Side::right);
  if (!changed) return false;
  close_holes(Side::left);
  close_holes(Side::right);
  update_reach();
  return true;
}

bool LeafSet::remove(Handle node) {
  bool found = false;
  for (const Side which : {Side::left, Side::right}) {
    const std::span<const Handle> members = side(which);
    const auto position = std::find(members.begin(), members.end(), node);
    if (position == members.end()) continue;
    erase_at(static_cast<std::size_t>(position - members.begin()), which);
    found = true;
  }
  if (found) update_reach();
  return found;
}

void LeafSet::clear() {
  sides_.clear();
  left_size_ = 0;
  update_reach();
}

Handle LeafSet::find(const NodeId& id) const {
  for (const Side which : {Side::right, Side::left}) {
    const std::span<const Handle> members = side(which);
    const std::size_t position = rank(distance(id, which), which);
    if (position < members.size() && directory_->id(members[position]) == id) {
      return members[position];
    }
  }
  return kNoHandle;
}

bool LeafSet::would_admit(const NodeId& id) const {
  if (id == self_ || find(id) != kNoHandle) return false;
  return admits(id, Side::left) || admits(id, Side::right);
}

std::vector<Handle> LeafSet::members() const {
  std::vector<Handle> result;
  result.reserve(sides_.size());
  result.assign(left().rbegin(), left().rend());
  if (!knows_whole_ring_) {
    result.insert(result.end(), right().begin(), right().end());
    return result;
  }
  for (const Handle node : right()) {
    if (std::find(left().begin(), left().end(), node) == left().end()) {
      result.push_back(node);
    }
  }
  return result;
}

std::size_t LeafSet::distinct_size() const {
  if (!knows_whole_ring_) return sides_.size();
  const auto in_both = std::count_if(right().begin(), right().end(), [this](Handle node) {
    return std::find(left().begin(), left().end(), node) != left().end();
  });
  return sides_.size() - static_cast<std::size_t>(in_both);
}

bool LeafSet::complete() const {
  return knows_whole_ring_ || (full(Side::left) && full(Side::right));
}

Handle LeafSet::closest(const Key& key) const {
  if (key - self_ <= right_reach_) return closest_within(key, Side::right);
  if (self_ - key <= left_reach_) return closest_within(key, Side::left);
  // Outside: the ends of the arc, one of which is the node itself if a side is empty.
  const Handle left_end = left().empty() ? kNoHandle : left().back();
  const Handle right_end = right().empty() ? kNoHandle : right().back();
  return closer_of(key, left_end, right_end);
}

std::vector<Handle> LeafSet::closest(const Key& key, std::size_t count) const {
  std::vector<Handle> result = members();
  result.push_back(kNoHandle);
  std::sort(result.begin(), result.end(),
            [&](Handle a, Handle b) { return closer(key, id_of(a), id_of(b)); });
  if (result.size() > count) result.resize(count);
  return result;
}

Id LeafSet::mean_spacing() const {
  const auto count = static_cast<std::uint32_t>(distinct_size());
  if (count == 0) return {std::uint64_t{1} << 63, 0};
  if (knows_whole_ring_) return quotient(Id(UINT64_MAX, UINT64_MAX), count + 1);
  return quotient(left_reach_ + right_reach_, count);
}

std::size_t LeafSet::rank(const Id& limit, Side which) const {
  const std::span<const Handle> members = side(which);
  const auto position = std::partition_point(
      members.begin(), members.end(), [&](Handle node) { return distance(node, which) < limit; });
  return static_cast<std::size_t>(position - members.begin());
}

bool LeafSet::replace(Handle old, Handle node) {
  std::replace(sides_.begin(), sides_.end(), old, node);
  return true;
}

bool LeafSet::insert_side(Handle node, Side which) {
  const std::span<const Handle> members = side(which);
  const std::size_t position = rank(distance(node, which), which);
  if (position == half_ || (position < members.size() && members[position] == node)) return false;
  if (full(which)) erase_at(members.size() - 1, which);
  if (sides_.size() == sides_.capacity()) {
    sides_.reserve(std::min<std::size_t>(sides_.size() + kGrowth, std::size_t{2} * half_));
  }
  const std::size_t start = which == Side::left ? 0 : left_size_;
  sides_.insert(sides_.begin() + static_cast<std::ptrdiff_t>(start + position), node);
  if (which == Side::left) ++left_size_;
  return true;
}

// In a small ring a new outermost member may have stepped over members of the other side.
void LeafSet::close_holes(Side which) {
  const Side other = which == Side::left ? Side::right : Side::left;
  if (side(which).empty() || side(other).empty()) return;
  // The outermost of the other side is the first to be met in this direction: in a large ring far
  // behind the last one here.
  const Id reach = distance(side(which).back(), which);
  if (distance(side(other).back(), which) >= reach) return;
  for (std::size_t i = 0; i < side(other).size(); ++i) {
    const Handle node = side(other)[i];
    const std::span<const Handle> members = side(which);
    if (holds(members, node)) continue;
    if (distance(node, which) < distance(members.back(), which)) insert_side(node, which);
  }
}

void LeafSet::erase_at(std::size_t position, Side which) {
  const std::size_t start = which == Side::left ? 0 : left_size_;
  sides_.erase(sides_.begin() + static_cast<std::ptrdiff_t>(start + position));
  if (which == Side::left) --left_size_;
}

void LeafSet::update_reach() {
  left_reach_ = left().empty() ? Id() : distance(left().back(), Side::left);
  right_reach_ = right().empty() ? Id() : distance(right().back(), Side::right);
  // With sides free of holes it is enough to look whether the outermost overlap.
  knows_whole_ring_ = sides_.empty() || (!left().empty() && !right().empty() &&
                                         self_ - directory_->id(right().back()) <= left_reach_);
}

Handle LeafSet::closest_within(const Key& key, Side which) const {
  const std::span<const Handle> members = side(which);
  const std::size_t position = rank(distance(key, which), which);
  const Handle before = position == 0 ? kNoHandle : members[position - 1];
  return position == members.size() ? before : closer_of(key, before, members[position]);
}

Handle LeafSet::closer_of(const Key& key, Handle a, Handle b) const {
  return closer(key, id_of(b), id_of(a)) ? b : a;
}

}  // namespace pastry
