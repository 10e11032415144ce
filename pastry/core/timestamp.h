// Monotonic and wall time as the core sees them: values that the caller passes in.
//
// The core never reads a clock. `Time` is a point on the host's monotonic clock that also counts
// suspend (CLOCK_BOOTTIME on Linux), or the simulator's virtual clock. Wall time is used for
// history and certificates only and has a type of its own so that the two cannot be mixed up.
#pragma once

#include <chrono>
#include <cstdint>

namespace pastry {

using Duration = std::chrono::nanoseconds;

// Deliberately without now(): only a host or the simulator can produce a Time.
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using Time = MonotonicClock::time_point;

// Later than every deadline; returned by next_deadline() when nothing is pending.
inline constexpr Time kNever = Time::max();

// Seconds since 1970-01-01 UTC; never used to decide who is alive.
struct WallTime {
  std::int64_t unix_seconds = 0;
  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
};

}  // namespace pastry
