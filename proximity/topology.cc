#include "proximity/topology.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace proximity {
namespace {

using std::chrono::nanoseconds;

// Coordinates have 31 bits, so that the sum of two squares fits into 64.
constexpr int kCoordinateBits = 31;
constexpr nanoseconds kLongestDelay = std::chrono::minutes(1);

struct Unit {
  std::string_view suffix;
  std::int64_t nanoseconds;
};

constexpr std::array<Unit, 4> kUnits{
    {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}}};

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

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

std::string text(nanoseconds delay) {
  const Unit* unit = &kUnits.front();
  for (const Unit& candidate : kUnits) {
    if (delay.count() % candidate.nanoseconds == 0) unit = &candidate;
  }
  return std::to_string(delay.count() / unit->nanoseconds) + std::string(unit->suffix);
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
    return "plane:" + text(options_.side) + " (seed " + std::to_string(options_.seed) + ", base " +
           text(options_.base) + ")";
  }

 private:
  struct Point {
    std::uint64_t x;
    std::uint64_t y;
  };

  Point point(std::uint64_t place) const {
    const std::uint64_t h = splitmix64(splitmix64(options_.seed) ^ place);
    return {h >> (64 - kCoordinateBits), splitmix64(h) >> (64 - kCoordinateBits)};
  }

  PlaneOptions options_;
};

class Uniform final : public Topology {
 public:
  explicit Uniform(nanoseconds delay) : delay_(delay) {}

  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    return from == to ? nanoseconds() : delay_;
  }

  std::string description() const override {
    return delay_ == nanoseconds() ? "none" : "uniform:" + text(delay_);
  }

 private:
  nanoseconds delay_;
};

tl::unexpected<std::string> complaint(std::string_view text) {
  return tl::unexpected<std::string>(
      "a topology is \"none\", \"uniform:DELAY\", \"plane\" or \"plane:SIDE\", with a whole number "
      "and ns, us, ms or s, at most 60s (such as plane:50ms), not \"" +
      std::string(text.substr(0, 40)) + "\"");
}

// "50ms"; whole numbers only. Empty on anything else and above kLongestDelay.
tl::expected<nanoseconds, std::string> parse_delay(std::string_view delay, std::string_view whole) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(delay.data(), delay.data() + delay.size(), count);
  if (error != std::errc() || count < 0) return complaint(whole);
  const std::string_view suffix = delay.substr(static_cast<std::size_t>(end - delay.data()));
  for (const Unit& unit : kUnits) {
    if (suffix != unit.suffix) continue;
    if (count > kLongestDelay.count() / unit.nanoseconds) return complaint(whole);
    return nanoseconds(count * unit.nanoseconds);
  }
  return complaint(whole);
}

}  // namespace

std::unique_ptr<Topology> make_plane(const PlaneOptions& options) {
  return std::make_unique<Plane>(options);
}

std::unique_ptr<Topology> make_uniform(nanoseconds delay) {
  return std::make_unique<Uniform>(delay);
}

tl::expected<std::unique_ptr<Topology>, std::string> parse_topology(std::string_view text,
                                                                    std::uint64_t seed) {
  PlaneOptions plane;
  plane.seed = seed;
  if (text == "none") return make_uniform(nanoseconds());
  if (text == "plane") return make_plane(plane);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return complaint(text);
  const std::string_view kind = text.substr(0, colon);
  const auto delay = parse_delay(text.substr(colon + 1), text);
  if (!delay) return tl::unexpected<std::string>(delay.error());
  if (kind == "uniform") return make_uniform(*delay);
  if (kind != "plane") return complaint(text);
  plane.side = *delay;
  return make_plane(plane);
}

}  // namespace proximity
