#include "pastry/core/routing_table.h"

#include <algorithm>

namespace pastry {
namespace {

// Capacity grows by this many entries: a node's memory counts, and a table fills once.
constexpr std::size_t kGrowth = 6;

}  // namespace

RoutingTable::RoutingTable(const Directory& directory, const NodeId& self, int digit_bits)
    : directory_(&directory), self_(&self), digit_bits_(static_cast<std::uint8_t>(digit_bits)) {}

RoutingTable::RoutingTable(const RoutingTable& other, const NodeId& self) : RoutingTable(other) {
  self_ = &self;
}

bool RoutingTable::consider(Handle node, Proximity proximity) {
  const NodeId& id = directory_->id(node);
  if (id == *self_) return false;
  const Slot slot = slot_for(id);
  const std::size_t at = position(slot);
  if (at < entries_.size() && entries_[at].slot == slot) {
    return update(entries_[at], node, proximity);
  }
  insert(at, {node, proximity, slot});
  return true;
}

void RoutingTable::insert(std::size_t at, const Entry& entry) {
  if (entries_.size() == entries_.capacity()) {
    entries_.reserve(entries_.size() + std::max(kGrowth, entries_.size() / 8));
  }
  entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(at), entry);
  for (int row = entry.row() + 1; row < kIndexedRows; ++row) {
    if (begins_[row] < kBeginMax) ++begins_[row];
  }
}

bool RoutingTable::update(Entry& present, Handle node, Proximity proximity) {
  if (present.node == node) {
    if (proximity.known()) present.proximity = proximity;
    return false;
  }
  // Without twins it is another id, and that of the present one need not be fetched.
  const bool same_id =
      directory_->has_twins(node) && directory_->id(present.node) == directory_->id(node);
  const bool replaces = same_id
                            ? directory_->incarnation(present.node) < directory_->incarnation(node)
                            : proximity < present.proximity;
  if (!replaces) return false;
  present.node = node;
  present.proximity = proximity;
  return true;
}

bool RoutingTable::remove(Handle node) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [node](const Entry& entry) { return entry.node == node; });
  if (found == entries_.end()) return false;
  const int removed = found->row();
  entries_.erase(found);
  for (int row = removed + 1; row < kIndexedRows; ++row) {
    const auto begin = std::partition_point(
        entries_.begin(), entries_.end(), [row](const Entry& entry) { return entry.row() < row; });
    const auto before = static_cast<std::size_t>(begin - entries_.begin());
    begins_[row] = static_cast<std::uint8_t>(std::min(kBeginMax, before));
  }
  return true;
}

void RoutingTable::clear() {
  entries_.clear();
  begins_ = {};
}

Handle RoutingTable::at(int row, int column) const {
  const Entry* entry = entry_in(slot_at(row, column));
  return entry == nullptr ? kNoHandle : entry->node;
}

Proximity RoutingTable::proximity_at(int row, int column) const {
  const Entry* entry = entry_in(slot_at(row, column));
  return entry == nullptr ? Proximity() : entry->proximity;
}

RoutingTable::Held RoutingTable::slot_of(const NodeId& id) const {
  const Entry* entry = id == *self_ ? nullptr : entry_in(slot_for(id));
  return entry == nullptr ? Held{} : Held{entry->node, entry->proximity};
}

Handle RoutingTable::next_for(const Key& key) const { return slot_of(key).node; }

Handle RoutingTable::find(const NodeId& id) const {
  const Handle node = next_for(id);
  return node != kNoHandle && directory_->id(node) == id ? node : kNoHandle;
}

bool RoutingTable::contains(Handle node) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [node](const Entry& entry) { return entry.node == node; });
}

std::vector<Handle> RoutingTable::row(int index) const {
  std::vector<Handle> result;
  result.reserve(count_in(index, index));
  for_each_in(index, index, [&](Handle node, Proximity) { result.push_back(node); });
  return result;
}

}  // namespace pastry
