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
  const int row = shared_prefix(*self_, id, digit_bits_);
  const int column = digit(id, row, digit_bits_);
  const std::size_t at = position(row, column);
  if (at < entries_.size() && entries_[at].row == row && entries_[at].column == column) {
    return update(entries_[at], node, proximity);
  }
  if (entries_.size() == entries_.capacity()) {
    entries_.reserve(entries_.size() + std::max(kGrowth, entries_.size() / 8));
  }
  entries_.insert(
      entries_.begin() + static_cast<std::ptrdiff_t>(at),
      {node, proximity, static_cast<std::uint8_t>(row), static_cast<std::uint8_t>(column)});
  return true;
}

bool RoutingTable::update(Entry& present, Handle node, Proximity proximity) {
  if (present.node == node) {
    if (proximity.known()) present.proximity = proximity;
    return false;
  }
  const bool replaces = directory_->id(present.node) == directory_->id(node)
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
  entries_.erase(found);
  return true;
}

void RoutingTable::clear() { entries_.clear(); }

Handle RoutingTable::at(int row, int column) const {
  const Entry* entry = entry_at(row, column);
  return entry == nullptr ? kNoHandle : entry->node;
}

Proximity RoutingTable::proximity_at(int row, int column) const {
  const Entry* entry = entry_at(row, column);
  return entry == nullptr ? Proximity() : entry->proximity;
}

RoutingTable::Held RoutingTable::slot_of(const NodeId& id) const {
  const int row = shared_prefix(*self_, id, digit_bits_);
  const Entry* entry = row == row_count() ? nullptr : entry_at(row, digit(id, row, digit_bits_));
  return entry == nullptr ? Held{} : Held{entry->node, entry->proximity};
}

Handle RoutingTable::next_for(const Key& key) const {
  const int row = shared_prefix(*self_, key, digit_bits_);
  return row == row_count() ? kNoHandle : at(row, digit(key, row, digit_bits_));
}

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
  const std::size_t end = position(index + 1, 0);
  for (std::size_t i = position(index, 0); i < end; ++i) result.push_back(entries_[i].node);
  return result;
}

std::size_t RoutingTable::position(int row, int column) const {
  const int slot = row * 256 + column;
  const auto slot_at = [this](std::size_t at) {
    return entries_[at].row * 256 + entries_[at].column;
  };
  // The upper rows are mostly full: then the slot says where it stands, but for the own column.
  const int others = (1 << digit_bits_) - 1;
  const auto guess = static_cast<std::size_t>(row * others + column);
  for (const std::size_t at : {guess, guess - 1}) {
    if (at < entries_.size() && slot_at(at) == slot) return at;
  }
  std::size_t first = 0;
  for (std::size_t count = entries_.size(); count > 0;) {  // without branches to mispredict
    const std::size_t half = (count + 1) / 2;
    first += slot_at(first + half - 1) < slot ? half : 0;
    count -= half;
  }
  return first;
}

const RoutingTable::Entry* RoutingTable::entry_at(int row, int column) const {
  const std::size_t at = position(row, column);
  if (at == entries_.size()) return nullptr;
  const Entry& entry = entries_[at];
  return entry.row == row && entry.column == column ? &entry : nullptr;
}

}  // namespace pastry
