#include "proximity/proximity.h"

#include <algorithm>
#include <bit>

namespace proximity {
namespace {

using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::microseconds;

constexpr int kMantissaBits = 11;
constexpr std::uint64_t kMantissa = std::uint64_t{1} << kMantissaBits;

}  // namespace

// Below 2^11 µs the code is the value. Above, with a leading bit that is not stored, each exponent
// holds 2^11 values, so that codes sort like the times they stand for.
Proximity Proximity::from(std::chrono::nanoseconds round_trip) {
  const auto clamped = std::clamp<std::chrono::nanoseconds>(round_trip, {}, hours(1));
  const auto value = static_cast<std::uint64_t>(duration_cast<microseconds>(clamped).count());
  Proximity result;
  if (value < kMantissa) {
    result.code_ = static_cast<std::uint16_t>(value);
    return result;
  }
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - kMantissaBits;
  const std::uint64_t mantissa = (value >> shift) - kMantissa;
  result.code_ =
      static_cast<std::uint16_t>(static_cast<std::uint64_t>(shift + 1) << kMantissaBits | mantissa);
  return result;
}

std::chrono::nanoseconds Proximity::round_trip() const {
  const int exponent = code_ >> kMantissaBits;
  const std::uint64_t mantissa = code_ & (kMantissa - 1);
  const std::uint64_t value = exponent == 0 ? mantissa : (kMantissa + mantissa) << (exponent - 1);
  return microseconds(static_cast<std::int64_t>(value));
}

Proximity filtered(Proximity known, Proximity sample) {
  if (!known.known() || sample <= known) return sample;
  if (!sample.known()) return known;
  return Proximity::from(known.round_trip() + (sample.round_trip() - known.round_trip()) / 8);
}

}  // namespace proximity
