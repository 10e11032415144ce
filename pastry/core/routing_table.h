// The routing table R: row r holds, per digit d, a near node that shares r digits and has d next.
//
// Source: [Pastry §2.1, §2.5]. Of several candidates for a slot the one nearest by the proximity
// metric stays. Kept as one sorted array of the entries there are, eight bytes each: of the slots
// of even a full table most are empty.
//
// Invariants: an entry in row r shares exactly r digits with the own id and stands in the column of
// its digit r; the own column of each row is empty; at most one handle per id.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/id.h"
#include "pastry/core/prefetch.h"
#include "proximity/proximity.h"

namespace pastry {

using proximity::Proximity;

class RoutingTable {
 public:
  // `directory` and `self` must outlive this. `digit_bits` = b, 1…8.
  RoutingTable(const Directory& directory, const NodeId& self, int digit_bits);
  RoutingTable(const Directory& directory, const NodeId&& self, int digit_bits) = delete;
  // A copy that belongs to `self`, the same id elsewhere.
  RoutingTable(const RoutingTable& other, const NodeId& self);

  // Puts `node` into its slot if the slot is empty, holds the same id with a lower incarnation, or
  // holds a node that is farther (an unknown distance never displaces; the same node is updated).
  // True if the slot now holds another node than before. The own id is ignored.
  bool consider(Handle node, Proximity proximity);
  // True if it was an entry.
  bool remove(Handle node);
  void clear();
  // Room for so many entries at least.
  void reserve(std::size_t entries) { entries_.reserve(entries); }

  // kNoHandle if the slot is empty; `row` < row_count(), `column` < 2^b.
  Handle at(int row, int column) const;
  Proximity proximity_at(int row, int column) const;
  // What stands in the slot into which `id` belongs: nobody, unknown, for the own id too.
  struct Held {
    Handle node = kNoHandle;
    Proximity proximity;
  };
  Held slot_of(const NodeId& id) const;
  // The entry that routing rule 2 uses for `key`: row = shared prefix, column = its next digit.
  Handle next_for(const Key& key) const;
  // The slot's entry for this id, if it is exactly this id; or kNoHandle.
  Handle find(const NodeId& id) const;
  bool contains(Handle node) const;

  // Rows that may hold entries: index of the deepest used row + 1.
  int rows_used() const { return entries_.empty() ? 0 : entries_.back().row() + 1; }
  int digit_bits() const { return digit_bits_; }
  int row_count() const { return digit_count(digit_bits_); }
  std::vector<Handle> row(int index) const;
  std::size_t size() const { return entries_.size(); }
  // Brings the entries into the processor's cache.
  void prefetch() const {
    for (std::size_t i = 0; i < entries_.size(); i += 8) prefetch_line(&entries_[i]);
  }
  // Gives back the room for growth.
  void shrink() { entries_.shrink_to_fit(); }

  // Calls visit(Handle, Proximity) for every entry, rows and columns ascending.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) visit(entry.node, entry.proximity);
  }
  // The same from row `first` on.
  template <typename Visit>
  void for_each_from(int first, Visit&& visit) const {
    for_each_in(first, row_count() - 1, visit);
  }
  // And for rows `first` … `last`.
  template <typename Visit>
  void for_each_in(int first, int last, Visit&& visit) const {
    const std::size_t end = row_end(last);
    for (std::size_t i = row_begin(first); i < end; ++i) {
      visit(entries_[i].node, entries_[i].proximity);
    }
  }
  // How many entries these rows have.
  std::size_t count_in(int first, int last) const {
    return std::max(row_end(last), row_begin(first)) - row_begin(first);
  }

 private:
  // Row and column as one number, in the order of the entries.
  using Slot = std::uint16_t;
  static Slot slot_at(int row, int column) { return static_cast<Slot>(row * 256 + column); }

  struct Entry {
    Handle node;
    Proximity proximity;
    Slot slot;

    int row() const { return slot / 256; }
  };
  static_assert(sizeof(Entry) == 8);

  // The first rows, in which nearly all entries of a large overlay stand, are found without a
  // search; in bytes that would be lost to alignment.
  static constexpr int kIndexedRows = 7;
  static constexpr std::size_t kBeginMax = 255;  // as many, or more

  // Index of the first entry at or after the row.
  std::size_t row_begin(int row) const {
    const bool indexed = row < kIndexedRows && begins_[row] < kBeginMax;
    return indexed ? begins_[row] : position(slot_at(row, 0));
  }
  std::size_t row_end(int row) const {
    return row + 1 < row_count() ? row_begin(row + 1) : entries_.size();
  }
  // Index of the first entry at or after the slot.
  std::size_t position(Slot slot) const {
    const int row = slot / 256;
    std::size_t first = begins_[std::min(row, kIndexedRows - 1)];
    const bool ends = row + 1 < kIndexedRows && begins_[row + 1] < kBeginMax;
    const std::size_t last = ends ? begins_[row + 1] : entries_.size();
    for (std::size_t count = last - first; count > 0;) {  // without branches to mispredict
      const std::size_t half = (count + 1) / 2;
      first += entries_[first + half - 1].slot < slot ? half : 0;
      count -= half;
    }
    return first;
  }
  // The slot of any other id than the own one.
  Slot slot_for(const NodeId& id) const {
    const int row = shared_prefix(*self_, id, digit_bits_);
    return slot_at(row, digit(id, row, digit_bits_));
  }
  const Entry* entry_in(Slot slot) const {
    const std::size_t at = position(slot);
    return at < entries_.size() && entries_[at].slot == slot ? &entries_[at] : nullptr;
  }
  bool update(Entry& present, Handle node, Proximity proximity);
  void insert(std::size_t at, const Entry& entry);

  const Directory* directory_;
  const NodeId* self_;
  std::vector<Entry> entries_;  // sorted by slot
  // Of each of the first rows the index of the first entry in it or after.
  std::array<std::uint8_t, kIndexedRows> begins_{};
  std::uint8_t digit_bits_;
};

}  // namespace pastry
