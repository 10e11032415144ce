// Reading and writing fixed little-endian fields, bounds checked by the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pastry/core/id.h"
#include "pastry/core/payload.h"

namespace scribe {

// Writes into bytes that are there already.
class FieldWriter {
 public:
  explicit FieldWriter(std::uint8_t* at) : at_(at) {}

  template <typename Integer>
  FieldWriter& put(Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      *at_++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    return *this;
  }
  FieldWriter& put(const pastry::Id& id) { return put(id.high()).put(id.low()); }
  std::uint8_t* at() const { return at_; }

 private:
  std::uint8_t* at_;
};

class FieldReader {
 public:
  explicit FieldReader(const std::uint8_t* at) : at_(at) {}

  template <typename Integer>
  Integer take() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      value |= static_cast<std::uint64_t>(*at_++) << (8 * i);
    }
    return static_cast<Integer>(value);
  }
  pastry::Id take_id() {
    const auto high = take<std::uint64_t>();
    return {high, take<std::uint64_t>()};
  }

 private:
  const std::uint8_t* at_;
};

}  // namespace scribe
