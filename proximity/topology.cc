#include "proximity/topology.h"

#include <utility>

#include "proximity/places.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

class Uniform final : public Topology {
 public:
  explicit Uniform(nanoseconds delay) : delay_(delay) {}

  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    return from == to ? nanoseconds() : delay_;
  }

  std::string description() const override {
    return delay_ == nanoseconds() ? "none" : "uniform:" + delay_text(delay_);
  }

 private:
  nanoseconds delay_;
};

tl::unexpected<std::string> complaint(std::string_view text) {
  return tl::unexpected<std::string>(
      "a topology is \"none\", \"uniform:DELAY\", \"plane\", \"plane:SIDE\", \"sphere\", "
      "\"sphere:HALF\", \"transit-stub\", \"transit-stub:LINK\" or \"matrix:FILE\", with a whole "
      "number and ns, us, ms or s, at most 60s (such as plane:50ms), not \"" +
      std::string(text.substr(0, 40)) + "\"");
}

}  // namespace

std::unique_ptr<Topology> make_uniform(nanoseconds delay) {
  return std::make_unique<Uniform>(delay);
}

tl::expected<std::unique_ptr<Topology>, std::string> parse_topology(std::string_view text,
                                                                    std::uint64_t seed,
                                                                    const TextReader& read_file) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const bool bare = colon == std::string_view::npos;
  const std::string_view value = bare ? std::string_view() : text.substr(colon + 1);
  if (kind == "matrix" && !value.empty() && read_file) {
    const auto file = read_file(std::string(value));
    if (!file) return tl::unexpected<std::string>(file.error());
    return make_delay_matrix(std::string(value), *file);
  }
  if (text == "none") return make_uniform(nanoseconds());
  PlaneOptions plane;
  SphereOptions sphere;
  TransitStubOptions transit_stub;
  plane.seed = sphere.seed = transit_stub.seed = seed;
  if (!bare) {
    const auto delay = parse_delay(value);
    if (!delay) return complaint(text);
    if (kind == "uniform") return make_uniform(*delay);
    plane.side = sphere.half = transit_stub.core_link = *delay;
  }
  if (kind == "plane") return make_plane(plane);
  if (kind == "sphere") return make_sphere(sphere);
  if (kind == "transit-stub") return make_transit_stub(transit_stub);
  return complaint(text);
}

}  // namespace proximity
