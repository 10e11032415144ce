#include <cmath>

#include "proximity/places.h"
#include "proximity/topology.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

// Coordinates have 31 bits, so that the sum of two squares fits into 64.
constexpr int kCoordinateBits = 31;

// The smallest r with r * r >= n; n < 2^63. The floating root is only a first guess, corrected in
// integers, so that every compiler and processor gives the same delay.
std::uint64_t root_rounded_up(std::uint64_t n) {
  auto r = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(n)));
  while (r * r >= n && r > 0) --r;
  while (r * r < n) ++r;
  return r;
}

// ceil(a * b / 2^31) without a 128-bit product; a < 2^32, 0 <= b < 2^53.
std::uint64_t scaled_up(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kOne = std::uint64_t{1} << kCoordinateBits;
  const std::uint64_t low = a * (b % kOne);
  return a * (b / kOne) + low / kOne + (low % kOne != 0 ? 1 : 0);
}

class Plane final : public Topology {
 public:
  explicit Plane(const PlaneOptions& options) : options_(options) {}

  // Rounded up twice, which keeps the triangle inequality exact.
  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    if (from == to) return {};
    const Point a = point(from);
    const Point b = point(to);
    const std::uint64_t dx = a.x > b.x ? a.x - b.x : b.x - a.x;
    const std::uint64_t dy = a.y > b.y ? a.y - b.y : b.y - a.y;
    const std::uint64_t distance = root_rounded_up(dx * dx + dy * dy);
    const std::uint64_t side = static_cast<std::uint64_t>(options_.side.count());
    return options_.base + nanoseconds(static_cast<std::int64_t>(scaled_up(distance, side)));
  }

  std::string description() const override {
    return "plane:" + delay_text(options_.side) + " (seed " + std::to_string(options_.seed) +
           ", base " + delay_text(options_.base) + ")";
  }

 private:
  struct Point {
    std::uint64_t x;
    std::uint64_t y;
  };

  Point point(std::uint64_t place) const {
    const std::uint64_t h = place_hash(options_.seed, place);
    return {h >> (64 - kCoordinateBits), splitmix64(h) >> (64 - kCoordinateBits)};
  }

  PlaneOptions options_;
};

}  // namespace

std::unique_ptr<Topology> make_plane(const PlaneOptions& options) {
  return std::make_unique<Plane>(options);
}

}  // namespace proximity
