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

// What is said to have been given out is believed up to here, and so much beyond what the one who
// listens knows of; so it takes ages of lies to use up the numbers above.
inline constexpr std::uint64_t kCountsAhead = 1 << 10;
inline constexpr std::uint64_t kOffsetsFree = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kOffsetsAhead = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kClaimMax = kNumberMax / 4;

// Whether a member may have a message at `claim`, as far as somebody can tell who knows of `own`.
bool believable(const Position& claim, const Position& own);

// Whether a root can go on above a position of its own or of a record. Where lies have used up the
// room all the same, positions begin again below.
constexpr bool room_above(const Position& position) {
  return position.epoch < kNumberMax / 2 && position.offset < kNumberMax / 2;
}

// An epoch above `above` if there is room.
std::uint64_t next_epoch(std::uint64_t above, pastry::WallTime now, pastry::Random& random);

}  // namespace scribe
