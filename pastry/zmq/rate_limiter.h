// A cap in bytes per second.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pastry/core/timestamp.h"

namespace pastry::host {

// Token bucket that may go into debt: what must pass passes and is paid for by what comes later.
class RateLimiter {
 public:
  // 0: no cap.
  explicit RateLimiter(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  bool allows(Time now) {
    if (rate_ == 0) return true;
    refill(now);
    return credit_ >= 0;
  }
  void spend(std::size_t bytes) {
    if (rate_ != 0) credit_ -= static_cast<double>(bytes);
  }
  // When allows() will be true again; only after it was false.
  Time next(Time now) const {
    if (rate_ == 0 || credit_ >= 0) return now;
    const double seconds = -credit_ / static_cast<double>(rate_);
    return now + std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6) + 1);
  }

 private:
  // A burst of at most a twentieth of a second.
  static constexpr double kBurstSeconds = 0.05;

  void refill(Time now) {
    const double elapsed = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    const double rate = static_cast<double>(rate_);
    credit_ = std::min(rate * kBurstSeconds, credit_ + std::min(elapsed, 1e6) * rate);
  }

  std::uint64_t rate_;
  double credit_ = 0;
  Time last_{};
};

}  // namespace pastry::host
