#include "proximity/metric.h"

#include <algorithm>
#include <bit>

namespace proximity {
namespace {

constexpr std::uint64_t kUnitsMax = 3'600'000'000;

}  // namespace

Proximity from_units(std::uint64_t units) {
  return Proximity::from(
      std::chrono::microseconds(static_cast<std::int64_t>(std::min(units, kUnitsMax))));
}

std::uint64_t units_of(Proximity distance) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(distance.round_trip()).count());
}

Proximity subnet_distance(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  const std::size_t bits = 8 * std::max(a.size(), b.size());
  if (a.size() != b.size()) return from_units(bits);
  const auto [mine, theirs] = std::mismatch(a.begin(), a.end(), b.begin());
  if (mine == a.end()) return from_units(0);
  const auto differing = static_cast<std::uint8_t>(*mine ^ *theirs);
  const auto shared = 8 * static_cast<std::size_t>(mine - a.begin()) +
                      static_cast<std::size_t>(std::countl_zero(differing));
  return from_units(bits - shared);
}

MetricConditions check_metric_conditions(
    std::uint32_t count, const std::function<double(std::uint32_t, std::uint32_t)>& distance) {
  MetricConditions found;
  for (std::uint32_t a = 0; a < count; ++a) {
    if (distance(a, a) > 0) ++found.not_reflexive;
    for (std::uint32_t b = 0; b < a; ++b) {
      if (distance(a, b) != distance(b, a)) ++found.not_symmetric;
    }
  }
  for (std::uint32_t a = 0; a < count; ++a) {
    for (std::uint32_t b = 0; b < count; ++b) {
      for (std::uint32_t c = 0; c < count; ++c) {
        if (a == b || b == c || a == c) continue;
        ++found.triangles;
        const double direct = distance(a, c);
        const double around = distance(a, b) + distance(b, c);
        if (direct <= around) continue;
        ++found.triangles_broken;
        if (around > 0) found.worst_ratio = std::max(found.worst_ratio, direct / around);
      }
    }
  }
  return found;
}

}  // namespace proximity
