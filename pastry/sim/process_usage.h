// What the simulating process itself uses: heap, resident memory, time. For reports only; nothing
// that a simulated node does depends on it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pastry::sim {

// Bytes in live allocations of the C heap, allocator overhead included.
std::uint64_t heap_in_use();
// The largest resident set so far.
std::uint64_t peak_rss_bytes();
// Seconds on a clock that only goes forward.
double wall_seconds();

// Has the kernel back the heap with huge pages from here on, where it offers them: a large
// simulation jumps between more pages than the processor keeps addresses of. For the whole process;
// call follow() now and then while the heap grows.
class HugeHeap {
 public:
  HugeHeap();
  void follow();

 private:
  std::uintptr_t advised_;  // up to here
};

}  // namespace pastry::sim
