#include "scribe/position.h"

#include <algorithm>

namespace scribe {

std::uint64_t next_epoch(std::uint64_t above, pastry::WallTime now, pastry::Random& random) {
  const auto clock = static_cast<std::uint64_t>(std::max<std::int64_t>(now.unix_seconds, 0));
  const std::uint64_t count = std::max(std::min(clock, kClockMax), (above >> kEpochLotBits) + 1);
  return count << kEpochLotBits | random.below(std::uint64_t{1} << kEpochLotBits);
}

}  // namespace scribe
