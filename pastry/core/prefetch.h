// Brings memory that is about to be needed into the cache, for hosts of very many nodes.
#pragma once

#include <cstddef>

namespace pastry {

inline constexpr std::size_t kCacheLine = 64;

// The line that holds `*at`, which may be any pointer. Not __builtin_prefetch alone: a function
// that does nothing else is pure to g++ 12, which then drops every call of it.
inline void prefetch_line(const void* at) {
  __builtin_prefetch(at);
  asm volatile("");
}

// All lines of `bytes` bytes from `begin` on.
inline void prefetch_lines(const void* begin, std::size_t bytes) {
  const auto* at = static_cast<const char*>(begin);
  for (std::size_t offset = 0; offset < bytes; offset += kCacheLine) prefetch_line(at + offset);
  if (bytes != 0) prefetch_line(at + bytes - 1);
}

}  // namespace pastry
