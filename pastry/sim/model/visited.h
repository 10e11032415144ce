// The states that were seen: 64-bit hashes with the choices that slept there. Open addressing, 16
// bytes per slot: tens of millions of states fit into the memory of a laptop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pastry::sim::model {

class Visited {
 public:
  Visited() : slots_(1U << 12) {}

  std::size_t size() const { return size_; }

  // What slept in this state, or null if it was not seen. Valid until the next insert().
  std::uint64_t* find(std::uint64_t key) {
    Slot& slot = slot_of(key);
    return slot.key == 0 ? nullptr : &slot.slept;
  }

  // A state that was not seen before.
  void insert(std::uint64_t key, std::uint64_t slept) {
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    Slot& slot = slot_of(key);
    slot = {without_zero(key), slept};
    ++size_;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;  // 0: free
    std::uint64_t slept = 0;
  };

  static std::uint64_t without_zero(std::uint64_t key) { return key == 0 ? 1 : key; }

  Slot& slot_of(std::uint64_t key) {
    const std::uint64_t wanted = without_zero(key);
    std::size_t place = static_cast<std::size_t>(wanted) & (slots_.size() - 1);
    while (slots_[place].key != 0 && slots_[place].key != wanted) {
      place = (place + 1) & (slots_.size() - 1);
    }
    return slots_[place];
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.key != 0) slot_of(slot.key) = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace pastry::sim::model
