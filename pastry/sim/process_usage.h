// What the simulating process itself uses: heap, resident memory, time. For reports only; nothing
// that a simulated node does depends on it.
#pragma once

#include <cstdint>

namespace pastry::sim {

// Bytes in live allocations of the C heap, allocator overhead included.
std::uint64_t heap_in_use();
// The largest resident set so far.
std::uint64_t peak_rss_bytes();
// Seconds on a clock that only goes forward.
double wall_seconds();

}  // namespace pastry::sim
