// Estimates the round-trip time to one peer: smoothed mean, mean deviation, minimum.
//
// [Bamboo §4]: retransmission timeout = mean + 4 * deviation, per neighbour; the gains 1/8 and 1/4
// are those of TCP (Jacobson). The minimum is what the proximity metric uses, as it holds the least
// queueing. Twelve bytes, in integers, so that a node can afford one per peer.
#pragma once

#include <chrono>
#include <cstdint>

#include "proximity/proximity.h"

namespace proximity {

class RttEstimator {
 public:
  // A measured round trip; negative counts as zero, more than a minute as a minute. Samples of
  // messages that were sent more than once are ambiguous and must not be given (Karn).
  void sample(std::chrono::nanoseconds round_trip);

  bool known() const { return minimum_us_ != kUnknown; }

  // Zero until known().
  std::chrono::nanoseconds mean() const;
  std::chrono::nanoseconds deviation() const;
  std::chrono::nanoseconds minimum() const;

  // Unknown until known().
  Proximity proximity() const;

  // mean + 4 * deviation, at least 5/4 of the mean, within [min, max]; `initial`, unclamped, until
  // known().
  std::chrono::nanoseconds timeout(std::chrono::nanoseconds initial, std::chrono::nanoseconds min,
                                   std::chrono::nanoseconds max) const;

 private:
  static constexpr std::uint32_t kUnknown = 0xffffffffU;

  // Scaled by 8 and 4, so that the gains are shifts and nothing is lost to rounding.
  std::uint32_t mean_us_by_8_ = 0;
  std::uint32_t deviation_us_by_4_ = 0;
  std::uint32_t minimum_us_ = kUnknown;
};

static_assert(sizeof(RttEstimator) <= 16);

}  // namespace proximity
