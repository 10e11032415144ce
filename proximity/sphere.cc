#include <cmath>

#include "proximity/places.h"
#include "proximity/topology.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

constexpr double kPi = 3.14159265358979323846;

struct Point {
  double x;
  double y;
  double z;
};

// Only + - * / and sqrt, which every processor rounds the same way (the room is compiled without
// contraction to fused operations), so that delays do not depend on a mathematics library.
// 0 <= t <= 1; error below 1e-12.
double arc_tangent(double t) {
  // atan(t) = 2 atan(t / (1 + sqrt(1 + t^2))), twice, leaves t < 0.2 for the series.
  t = t / (1.0 + std::sqrt(1.0 + t * t));
  t = t / (1.0 + std::sqrt(1.0 + t * t));
  const double square = t * t;
  double sum = 0;
  for (int k = 17; k >= 1; k -= 2) sum = 1.0 / k - square * sum;
  return 4.0 * t * sum;
}

// The angle between two points of the unit sphere as a share of the half circle [Kahan].
double angle(const Point& a, const Point& b) {
  const Point difference{a.x - b.x, a.y - b.y, a.z - b.z};
  const Point sum{a.x + b.x, a.y + b.y, a.z + b.z};
  const auto length = [](const Point& p) { return std::sqrt(p.x * p.x + p.y * p.y + p.z * p.z); };
  const double apart = length(difference);
  const double together = length(sum);
  return apart <= together ? 2.0 / kPi * arc_tangent(apart / together)
                           : 1.0 - 2.0 / kPi * arc_tangent(together / apart);
}

class Sphere final : public Topology {
 public:
  explicit Sphere(const SphereOptions& options) : options_(options) {}

  // The added nanosecond covers rounding, so that the triangle inequality holds.
  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    if (from == to) return {};
    const double way = angle(point(from), point(to)) * static_cast<double>(options_.half.count());
    return options_.base + nanoseconds(static_cast<std::int64_t>(std::ceil(way)) + 1);
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
