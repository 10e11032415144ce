// 128-bit identifiers on the ring: node ids and keys, their digits and distances.
//
// Source: [Pastry] Rowstron & Druschel, Middleware 2001, section 2. Ids are unsigned 128-bit
// numbers on a ring that wraps at 2^128; seen as digits of base 2^b, digit 0 is the most
// significant. All functions are pure, constant time and safe to call from any thread.
#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "pastry/core/error.h"

namespace pastry {

class Id {
 public:
  static constexpr int kBits = 128;
  static constexpr std::size_t kHexDigits = 32;

  constexpr Id() = default;
  constexpr Id(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}

  // Accepts exactly 32 hexadecimal digits of either case; anything else is ErrorCode::invalid.
  static Result<Id> parse(std::string_view hex);

  // 32 lower-case hexadecimal digits.
  std::string hex() const;

  constexpr std::uint64_t high() const { return high_; }
  constexpr std::uint64_t low() const { return low_; }

  // Numerical order, not ring order.
  friend constexpr auto operator<=>(const Id&, const Id&) = default;

  // Arithmetic modulo 2^128.
  friend constexpr Id operator+(const Id& a, const Id& b) {
    const std::uint64_t low = a.low_ + b.low_;
    return {a.high_ + b.high_ + (low < a.low_ ? 1 : 0), low};
  }
  friend constexpr Id operator-(const Id& a, const Id& b) {
    return {a.high_ - b.high_ - (a.low_ < b.low_ ? 1 : 0), a.low_ - b.low_};
  }

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

using NodeId = Id;
using Key = Id;

// Number of digits (= routing table rows) of an id in base 2^b, 1 <= b <= 8. If b does not divide
// 128 the last digit has only the bits that remain.
constexpr int digit_count(int b) { return (Id::kBits + b - 1) / b; }

// Digit `row` (0 = most significant) of `id` in base 2^b; 0 <= row < digit_count(b).
constexpr int digit(const Id& id, int row, int b) {
  const int top = row * b;
  const int width = std::min(b, Id::kBits - top);
  // What is left of the id without the digits before, of which the highest bits are the digit.
  const std::uint64_t rest =
      top < 64 ? id.high() << top | id.low() >> 1 >> (63 - top) : id.low() << (top - 64);
  return static_cast<int>(rest >> (64 - width));
}

// `id` with digit `row` replaced by `value` (0 <= value < 2^b) and everything after it kept.
Id with_digit(const Id& id, int row, int value, int b);

// Number of leading base-2^b digits that both ids share: 0 … digit_count(b).
constexpr int shared_prefix(const Id& a, const Id& other, int b) {
  const std::uint64_t high = a.high() ^ other.high();
  if (high != 0) return std::countl_zero(high) / b;
  const std::uint64_t low = a.low() ^ other.low();
  if (low != 0) return (64 + std::countl_zero(low)) / b;
  return digit_count(b);
}

// Distance going upwards (clockwise) from `from` to `to`, modulo 2^128.
constexpr Id clockwise_distance(const Id& from, const Id& to) { return to - from; }

// The shorter way around the ring, symmetric; at most 2^127.
constexpr Id ring_distance(const Id& a, const Id& b) {
  const Id up = b - a;
  const Id down = a - b;
  return up < down ? up : down;
}

// Whether `a` is strictly closer to `key` than `other` on the ring. At equal distance the
// numerically smaller id counts as closer, so that any two distinct ids have one winner.
constexpr bool closer(const Key& key, const Id& a, const Id& other) {
  const Id da = ring_distance(key, a);
  const Id db = ring_distance(key, other);
  return da != db ? da < db : a < other;
}

struct IdHash {
  std::size_t operator()(const Id& id) const {
    std::uint64_t x = id.high() ^ (id.low() * 0x9e3779b97f4a7c15ULL);
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    return static_cast<std::size_t>(x);
  }
};

}  // namespace pastry

template <>
struct std::hash<pastry::Id> {
  std::size_t operator()(const pastry::Id& id) const { return pastry::IdHash{}(id); }
};
