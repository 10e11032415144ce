#include "proximity/metric.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <numbers>

namespace proximity {
namespace {

constexpr double kEarthRadiusM = 6'371'000;
constexpr double kMetresPerUnit = 10;
constexpr std::uint64_t kUnitsMax = 3'600'000'000;

double radians(double degrees) { return degrees * std::numbers::pi / 180; }

std::optional<double> degrees(std::string_view text, double most) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(std::abs(value) <= most)) return std::nullopt;
  return value;
}

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

tl::expected<Coordinates, std::string> parse_coordinates(std::string_view text) {
  const std::size_t comma = text.find(',');
  if (comma != std::string_view::npos) {
    const auto latitude = degrees(text.substr(0, comma), 90);
    const auto longitude = degrees(text.substr(comma + 1), 180);
    if (latitude && longitude) return Coordinates{*latitude, *longitude};
  }
  return tl::unexpected("'" + std::string(text.substr(0, 64)) +
                        "' is not LATITUDE,LONGITUDE in degrees, like 48.137,11.575");
}

// Haversines: exact for points that are near each other, too.
double great_circle_m(const Coordinates& a, const Coordinates& b) {
  const auto haversine = [](double angle) {
    const double half = std::sin(angle / 2);
    return half * half;
  };
  const double h = haversine(radians(b.latitude - a.latitude)) +
                   std::cos(radians(a.latitude)) * std::cos(radians(b.latitude)) *
                       haversine(radians(b.longitude - a.longitude));
  return 2 * kEarthRadiusM * std::asin(std::sqrt(std::min(1.0, h)));
}

Proximity geographic_distance(const Coordinates& a, const Coordinates& b) {
  return from_units(static_cast<std::uint64_t>(std::ceil(great_circle_m(a, b) / kMetresPerUnit)));
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
