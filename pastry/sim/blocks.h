// Storage of a simulation's many small records: stable addresses, no copying when it grows.
//
// Blocks is an array that only grows, Pool one whose slots are given back and taken again, the last
// one given back first, because it is still in the processor's cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pastry::sim {

template <typename T>
class Blocks {
 public:
  std::size_t size() const { return size_; }
  T& operator[](std::size_t at) { return blocks_[at >> kBits][at & kMask]; }
  const T& operator[](std::size_t at) const { return blocks_[at >> kBits][at & kMask]; }

  // A further element, as T() makes it.
  T& append() {
    if (size_ == blocks_.size() << kBits) blocks_.push_back(std::make_unique<T[]>(kBlock));
    return (*this)[size_++];
  }

 private:
  static constexpr unsigned kBits = 8;
  static constexpr std::size_t kBlock = std::size_t{1} << kBits;
  static constexpr std::size_t kMask = kBlock - 1;

  std::vector<std::unique_ptr<T[]>> blocks_;
  std::size_t size_ = 0;
};

template <typename T>
class Pool {
 public:
  T& operator[](std::uint32_t slot) { return slots_[slot]; }
  const T& operator[](std::uint32_t slot) const { return slots_[slot]; }
  std::size_t in_use() const { return slots_.size() - free_.size(); }

  // A free slot; it holds what it held when it was given back, T() if it is new.
  std::uint32_t take() {
    if (free_.empty()) {
      slots_.append();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  // Only slots that are taken.
  void give_back(std::uint32_t slot) { free_.push_back(slot); }

  // Calls visit(slot) for every slot that is taken, in their order.
  template <typename Visit>
  void for_each_slot(Visit&& visit) const {
    std::vector<bool> free(slots_.size());
    for (const std::uint32_t slot : free_) free[slot] = true;
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (!free[slot]) visit(slot);
    }
  }
  // The same with the content of the slot.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for_each_slot([&](std::uint32_t slot) { visit(slots_[slot]); });
  }

 private:
  Blocks<T> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace pastry::sim
