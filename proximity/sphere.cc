#include <cmath>

#include "proximity/globe.h"
#include "proximity/places.h"
#include "proximity/topology.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

class Sphere final : public Topology {
 public:
  explicit Sphere(const SphereOptions& options) : options_(options) {}

  // The added nanosecond covers rounding, so that the triangle inequality holds.
  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    if (from == to) return {};
    const double way = angle(point(from), point(to)) * static_cast<double>(options_.half.count());
    return options_.base + nanoseconds(static_cast<std::int64_t>(std::ceil(way)) + 1);
  }

  std::optional<Coordinates> coordinates(std::uint64_t place) const override {
    return coordinates_of(point(place));
  }

  std::string description() const override {
    return "sphere:" + delay_text(options_.half) + " (seed " + std::to_string(options_.seed) +
           ", base " + delay_text(options_.base) + ")";
  }

 private:
  // Evenly spread over the sphere [Marsaglia 1972]: a point of the unit disc, bent.
  Point point(std::uint64_t place) const {
    std::uint64_t random = place_hash(options_.seed, place);
    for (;;) {
      const double u = coordinate(random);
      random = splitmix64(random);
      const double v = coordinate(random);
      random = splitmix64(random);
      const double square = u * u + v * v;
      if (square >= 1.0) continue;
      const double scale = 2.0 * std::sqrt(1.0 - square);
      return {u * scale, v * scale, 1.0 - 2.0 * square};
    }
  }

  // -1 … 1 with 52 bits.
  static double coordinate(std::uint64_t random) {
    return static_cast<double>(random >> 12) / static_cast<double>(1ULL << 51) - 1.0;
  }

  SphereOptions options_;
};

}  // namespace

std::unique_ptr<Topology> make_sphere(const SphereOptions& options) {
  return std::make_unique<Sphere>(options);
}

}  // namespace proximity
