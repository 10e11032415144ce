#include "proximity/rtt_estimator.h"

#include <algorithm>

namespace proximity {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;

void RttEstimator::sample(nanoseconds round_trip) {
  const auto clamped = std::clamp<nanoseconds>(round_trip, {}, minutes(1));
  const auto value = static_cast<std::uint32_t>(duration_cast<microseconds>(clamped).count());
  if (!known()) {
    mean_us_by_8_ = value * 8;
    deviation_us_by_4_ = value * 2;
    minimum_us_ = value;
    return;
  }
  const std::uint32_t mean_us = mean_us_by_8_ / 8;
  const std::uint32_t error = value > mean_us ? value - mean_us : mean_us - value;
  mean_us_by_8_ = mean_us_by_8_ - mean_us + value;
  deviation_us_by_4_ = deviation_us_by_4_ - deviation_us_by_4_ / 4 + error;
  minimum_us_ = std::min(minimum_us_, value);
}

nanoseconds RttEstimator::mean() const { return microseconds(mean_us_by_8_ / 8); }

nanoseconds RttEstimator::deviation() const { return microseconds(deviation_us_by_4_ / 4); }

nanoseconds RttEstimator::minimum() const { return microseconds(known() ? minimum_us_ : 0); }

Proximity RttEstimator::proximity() const {
  return known() ? Proximity::from(minimum()) : Proximity();
}

nanoseconds RttEstimator::timeout(nanoseconds initial, nanoseconds min, nanoseconds max) const {
  if (!known()) return initial;
  // Where all samples are the same the deviation is nothing, and every hair above the mean too
  // late.
  const std::uint32_t mean_us = mean_us_by_8_ / 8;
  const nanoseconds estimate = microseconds(mean_us + std::max(deviation_us_by_4_, mean_us / 4));
  return std::clamp(estimate, min, max);
}

}  // namespace proximity
