#include "pastry/sim/trace_hash.h"

#include <bit>
#include <cstring>

namespace pastry::sim {

namespace {

std::uint64_t load(const std::uint8_t* bytes) {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, bytes, sizeof word);
  } else {
    for (unsigned i = 0; i < sizeof word; ++i) word |= std::uint64_t{bytes[i]} << (8 * i);
  }
  return word;
}

}  // namespace

void TraceHash::add(ByteView bytes) {
  add(std::uint64_t{bytes.size()});
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) add(load(bytes.data() + at));
  if (at == bytes.size()) return;
  std::uint64_t tail = 0;
  for (unsigned i = 0; at + i < bytes.size(); ++i) tail |= std::uint64_t{bytes[at + i]} << (8 * i);
  add(tail);
}

}  // namespace pastry::sim
