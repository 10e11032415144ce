// The bytes this test program has on the heap, counted in new and delete, with the eight that the
// allocator keeps per block.
#pragma once

#include <cstddef>

namespace pastry::test {

std::size_t live_heap_bytes();

}  // namespace pastry::test
