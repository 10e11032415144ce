// A running 64-bit hash over everything that happened in a simulation, in order.
//
// Two runs with the same hash did the same. Independent of compiler, byte order and word size; not
// cryptographic. Eight bytes per multiplication, because it reads every byte of every message.
#pragma once

#include <cstdint>
#include <string_view>

#include "pastry/core/id.h"
#include "pastry/core/payload.h"

namespace pastry::sim {

class TraceHash {
 public:
  void add(std::uint64_t word) {
    std::uint64_t mixed = (state_ ^ word) * 0x9fb21c651e98df25ULL;
    mixed ^= mixed >> 29;
    state_ = mixed * 0xd6e8feb86659fd93ULL + 0x632be59bd9b4e019ULL;
  }
  void add(const Id& id) {
    add(id.high());
    add(id.low());
  }
  // Length and content.
  void add(ByteView bytes);
  void add(std::string_view text) {
    add(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }

  std::uint64_t value() const { return state_ ^ (state_ >> 32); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace pastry::sim
