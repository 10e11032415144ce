// A set of 64-bit hashes (0 and 1 count as the same) that a root asks for every message that it
// delivers: one array, one cache line per question, no allocation per element. Takes no memory
// while it is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pastry {

class IdentitySet {
 public:
  bool contains(std::uint64_t hash) const {
    return !slots_.empty() && slots_[place(slots_, key(hash))] != kFree;
  }

  void insert(std::uint64_t hash) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    std::uint64_t& slot = slots_[place(slots_, key(hash))];
    if (slot == kFree) ++size_;
    slot = key(hash);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::uint64_t kFree = 0;
  static constexpr std::size_t kFirst = 16;

  static std::uint64_t key(std::uint64_t hash) { return hash == kFree ? 1 : hash; }

  // Where `key` is, or the free slot where it belongs. At least half of the slots are free, so the
  // search ends soon.
  static std::size_t place(const std::vector<std::uint64_t>& slots, std::uint64_t key) {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = key & mask;
    while (slots[at] != kFree && slots[at] != key) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<std::uint64_t> larger(slots_.empty() ? kFirst : 2 * slots_.size(), kFree);
    for (const std::uint64_t key : slots_) {
      if (key != kFree) larger[place(larger, key)] = key;
    }
    slots_ = std::move(larger);
  }

  std::vector<std::uint64_t> slots_;  // a power of two of them
  std::size_t size_ = 0;
};

}  // namespace pastry
