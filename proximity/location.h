// Where a process stands on the earth, and how far two of them are apart along its surface.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "proximity/proximity.h"

namespace proximity {

// A point on the earth, degrees: latitude -90 … 90, longitude -180 … 180.
struct Coordinates {
  double latitude = 0;
  double longitude = 0;

  friend bool operator==(const Coordinates&, const Coordinates&) = default;
};

// "48.137,11.575". The error says what is accepted.
tl::expected<Coordinates, std::string> parse_coordinates(std::string_view text);

// Along the great circle on a sphere of 6,371 km, in metres.
double great_circle_m(const Coordinates& a, const Coordinates& b);
// In units of 10 m, rounded up.
Proximity geographic_distance(const Coordinates& a, const Coordinates& b);

// Coordinates as they are kept and sent: in whole steps of 1e-7 degrees (about a centimetre), in
// eight bytes; or none.
class Location {
 public:
  static constexpr std::int32_t kNone = INT32_MIN;

  constexpr Location() = default;
  explicit Location(const Coordinates& coordinates);
  // Nothing if they are beyond the limits; kNone as latitude is the location that is not known.
  static std::optional<Location> from_steps(std::int32_t latitude, std::int32_t longitude);

  bool known() const { return latitude_ != kNone; }
  // Only if known().
  Coordinates coordinates() const;
  std::int32_t latitude_steps() const { return latitude_; }
  std::int32_t longitude_steps() const { return longitude_; }

  friend bool operator==(const Location&, const Location&) = default;

 private:
  std::int32_t latitude_ = kNone;
  std::int32_t longitude_ = 0;
};

// As parse_coordinates() takes it; only if known().
std::string location_text(const Location& location);

}  // namespace proximity
