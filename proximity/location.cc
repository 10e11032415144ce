#include "proximity/location.h"

#include <array>
#include <charconv>
#include <cmath>

#include "proximity/globe.h"
#include "proximity/metric.h"

namespace proximity {
namespace {

constexpr double kHalfWayAroundM = 6'371'000 * 3.14159265358979323846;
constexpr double kMetresPerUnit = 10;
constexpr double kStepsPerDegree = 1e7;
constexpr std::int32_t kLatitudeMax = 900'000'000;
constexpr std::int32_t kLongitudeMax = 1'800'000'000;

std::optional<double> degrees(std::string_view text, double most) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(std::abs(value) <= most)) return std::nullopt;
  return value;
}

std::int32_t steps(double degrees) {
  return static_cast<std::int32_t>(std::lround(degrees * kStepsPerDegree));
}

std::string fixed_text(double degrees) {
  constexpr int kDigits = 7;
  std::array<char, 16> text{};  // "-180.0000000"
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), degrees,
                                          std::chars_format::fixed, kDigits);
  return {text.data(), end};
}

bool within(std::int32_t steps, std::int32_t most) { return steps >= -most && steps <= most; }

}  // namespace

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

double great_circle_m(const Coordinates& a, const Coordinates& b) {
  return kHalfWayAroundM * angle(point_of(a), point_of(b));
}

Proximity geographic_distance(const Coordinates& a, const Coordinates& b) {
  return from_units(static_cast<std::uint64_t>(std::ceil(great_circle_m(a, b) / kMetresPerUnit)));
}

Location::Location(const Coordinates& coordinates)
    : latitude_(steps(coordinates.latitude)), longitude_(steps(coordinates.longitude)) {}

std::optional<Location> Location::from_steps(std::int32_t latitude, std::int32_t longitude) {
  Location location;
  if (latitude == kNone) return location;
  if (!within(latitude, kLatitudeMax) || !within(longitude, kLongitudeMax)) return std::nullopt;
  location.latitude_ = latitude;
  location.longitude_ = longitude;
  return location;
}

Coordinates Location::coordinates() const {
  return {latitude_ / kStepsPerDegree, longitude_ / kStepsPerDegree};
}

std::string location_text(const Location& location) {
  const Coordinates at = location.coordinates();
  return fixed_text(at.latitude) + "," + fixed_text(at.longitude);
}

}  // namespace proximity
