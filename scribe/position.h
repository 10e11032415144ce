// Where a message stands in its topic: numbered by the root [SCRIBE §3.5].
#pragma once

#include <compare>
#include <cstdint>

namespace scribe {

// Epochs grow with every change of the root, so that two roots never give out the same position;
// offsets grow by one per message within an epoch. Positions are ordered; {0, 0} is before all.
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;

  friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

// Bound on epochs, offsets and sequence numbers. No honest root or publisher gets there; sums of
// these cannot overflow.
inline constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 62;

}  // namespace scribe
