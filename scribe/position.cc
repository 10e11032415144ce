#include "scribe/position.h"

#include <algorithm>

namespace scribe {

bool believable(const Position& claim, const Position& own) {
  const auto count = [](const Position& position) { return position.epoch >> kEpochLotBits; };
  return claim.epoch < kClaimMax && claim.offset < kClaimMax &&
         count(claim) <= std::max(count(own), kClockMax) + kCountsAhead &&
         claim.offset <= std::max(own.offset, kOffsetsFree) + kOffsetsAhead;
}

std::uint64_t next_epoch(std::uint64_t above, pastry::WallTime now, pastry::Random& random) {
  const auto clock = static_cast<std::uint64_t>(std::max<std::int64_t>(now.unix_seconds, 0));
  if (!room_above({above, 0})) above = 0;
  const std::uint64_t count = std::max(std::min(clock, kClockMax), (above >> kEpochLotBits) + 1);
  return count << kEpochLotBits | random.below(std::uint64_t{1} << kEpochLotBits);
}

}  // namespace scribe
