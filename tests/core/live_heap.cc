#include "tests/core/live_heap.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> live_bytes = 0;

std::size_t cost(void* block) { return malloc_usable_size(block) + 8; }

void release(void* block) {
  if (block == nullptr) return;
  live_bytes -= cost(block);
  std::free(block);
}

}  // namespace

std::size_t pastry::test::live_heap_bytes() { return live_bytes; }

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block != nullptr) live_bytes += cost(block);
  return block;
}

void* operator new(std::size_t size) {
  void* block = operator new(size, std::nothrow);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void operator delete(void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
