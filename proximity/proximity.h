// The proximity metric: a scalar network distance between two nodes.
//
// [Pastry §2.1, §2.5]. Smaller is nearer; the protocol compares values and never relies on units.
// Kept in 16 bits because a node stores one per table entry: a floating code with an 11-bit
// mantissa of microseconds, so that order is kept and values are exact up to 2 ms and within 0.05 %
// above.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace proximity {

class Proximity {
 public:
  // Unknown: farther than everything that was measured.
  constexpr Proximity() = default;

  // A measured round-trip time; negative counts as zero, more than an hour as an hour.
  static Proximity from(std::chrono::nanoseconds round_trip);

  // The round-trip time, within the precision above; only if known().
  std::chrono::nanoseconds round_trip() const;

  // Nearer than everything, or as near.
  static constexpr Proximity from_nothing() {
    Proximity result;
    result.code_ = 0;
    return result;
  }

  constexpr bool known() const { return code_ != kUnknown; }
  friend constexpr auto operator<=>(const Proximity&, const Proximity&) = default;

 private:
  static constexpr std::uint16_t kUnknown = 0xffff;
  std::uint16_t code_ = kUnknown;
};

// What to keep of a distance known before and a new sample of it: the minimum, which holds the
// least queueing; but a longer sample pulls it up by an eighth of the difference, so that a path
// that became longer is noticed after some samples. The sample alone if nothing was known.
Proximity filtered(Proximity known, Proximity sample);

}  // namespace proximity
