// Where a message stands in its topic: numbered by the root [SCRIBE §3.5].
#pragma once

#include <compare>
#include <cstdint>

#include "pastry/core/random.h"
#include "pastry/core/timestamp.h"

namespace scribe {

// Epochs grow with every change of the root, and differ where two do not know of each other, so
// that no two roots give out the same position; offsets grow by one per message within an epoch.
// Positions are ordered; {0, 0} is before all.
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;

  friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

// Bound on epochs, offsets and sequence numbers. No honest root or publisher gets there; sums of
// these cannot overflow.
inline constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 62;

// The low bits of an epoch are drawn by lot, those above count: so epochs of roots that do not know
// of each other differ. A count is a time in seconds unless it had to go on faster or clocks lag;
// while it is a time such epochs are exact in JSON.
inline constexpr int kEpochLotBits = 20;
// Counts beyond this one (in the year 2242) come from no clock that is right.
inline constexpr std::uint64_t kClockMax = (std::uint64_t{1} << 33) - 1;

// An epoch above `above`, which is below kNumberMax.
std::uint64_t next_epoch(std::uint64_t above, pastry::WallTime now, pastry::Random& random);

}  // namespace scribe
