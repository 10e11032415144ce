// When a command gives up waiting.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "pastry/core/timestamp.h"

namespace pastry::control {

class Deadline {
 public:
  // Zero: never.
  static Deadline in(Duration timeout) {
    Deadline deadline;
    if (timeout > Duration::zero()) deadline.when_ = Clock::now() + timeout;
    return deadline;
  }
  static Deadline never() { return {}; }

  bool passed() const { return Clock::now() >= when_; }
  // The nearer of both.
  Deadline within(Duration timeout) const {
    Deadline other = in(timeout);
    return other.when_ < when_ ? other : *this;
  }
  // Milliseconds until then, rounded up, at most `longest_ms`.
  int wait_ms(int longest_ms) const {
    const auto now = Clock::now();
    if (when_ <= now) return 0;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::min<Clock::duration>(when_ - now, std::chrono::milliseconds(longest_ms)));
    return static_cast<int>(left.count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point when_ = Clock::time_point::max();
};

}  // namespace pastry::control
