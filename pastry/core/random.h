// The only source of randomness of the core: a small seeded integer generator.
//
// xoshiro256** by Blackman and Vigna, seeded through splitmix64. The standard library's
// distributions give different numbers under different compilers, so the few that the protocol
// needs are here, in integers.
#pragma once

#include <array>
#include <cstdint>

#include "pastry/core/id.h"
#include "pastry/core/timestamp.h"

namespace pastry {

class Random {
 public:
  explicit Random(std::uint64_t seed);

  std::uint64_t next();

  // Uniform in [0, bound); bound > 0. Unbiased.
  std::uint64_t below(std::uint64_t bound);

  // Uniform in [min, max]; min <= max.
  Duration between(Duration min, Duration max);

  // `period` scaled by a uniform factor in [1 - percent/100, 1 + percent/100]; 0 <= percent <= 100.
  Duration jittered(Duration period, int percent);

  Id id();

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace pastry
