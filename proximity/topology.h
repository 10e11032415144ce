// Emulated network topologies: the delay between any two points, computed, not stored.
//
// The same object delays messages in the simulator and in a real test cluster (user space, no
// privileges). A point is derived from a 64-bit place number (the simulator uses the node's index,
// a cluster the high half of the node's id), so that every process computes the same delay without
// being told. Immutable after construction; safe to use from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "proximity/location.h"

namespace proximity {

class Topology {
 public:
  virtual ~Topology() = default;

  // One-way delay between two places; symmetric, zero from a place to itself.
  virtual std::chrono::nanoseconds delay(std::uint64_t from, std::uint64_t to) const = 0;

  // Where on a globe a place lies; only of those that are one: sphere.
  virtual std::optional<Coordinates> coordinates(std::uint64_t) const { return std::nullopt; }

  // How many routers a message between two places passes, none from a place to itself; only of
  // those that are made of routers: transit-stub.
  virtual std::optional<std::uint32_t> routers_between(std::uint64_t, std::uint64_t) const {
    return std::nullopt;
  }

  // An IPv4 address for a place, such that those who share a network share a prefix; only of those
  // that are made of networks: transit-stub. All are in 127.0.0.0/8, since they lead nowhere.
  virtual std::optional<std::uint32_t> address(std::uint64_t) const { return std::nullopt; }

  // For people: kind and parameters.
  virtual std::string description() const = 0;
};

// Nodes at random points of a square, Euclidean distance [Pastry §3].
struct PlaneOptions {
  std::uint64_t seed = 1;
  // Side of the square in one-way delay.
  std::chrono::nanoseconds side = std::chrono::milliseconds(100);
  // Added to every delay between different places.
  std::chrono::nanoseconds base = std::chrono::microseconds(100);
};
std::unique_ptr<Topology> make_plane(const PlaneOptions& options);

// Nodes at random points of a sphere, distance along the great circle.
struct SphereOptions {
  std::uint64_t seed = 1;
  // One-way delay to the opposite point, half the way around.
  std::chrono::nanoseconds half = std::chrono::milliseconds(100);
  // Added to every delay between different places.
  std::chrono::nanoseconds base = std::chrono::microseconds(100);
};
std::unique_ptr<Topology> make_sphere(const SphereOptions& options);

// Routers in two levels, as the generator of Georgia Tech lays them (Zegura, Calvert,
// Bhattacharjee, INFOCOM 1996): 10 transit domains of 5 routers; at each of these 10 stub domains
// of 10 routers. Links are random and connect every domain; a message between stub domains goes
// through the transit routers of both. A node hangs on a random stub router. Takes about 170 KB.
inline constexpr std::uint32_t kTransitStubRouters = 5050;
struct TransitStubOptions {
  std::uint64_t seed = 1;
  // Mean one-way delay of a link between transit domains. Links within a transit domain take a
  // quarter of it on average, between transit and stub an eighth, within a stub domain a fortieth.
  std::chrono::nanoseconds core_link = std::chrono::milliseconds(40);
  // Between a node and its router.
  std::chrono::nanoseconds lan = std::chrono::milliseconds(1);
};
std::unique_ptr<Topology> make_transit_stub(const TransitStubOptions& options);

// Delays from a text (docs/simulator.md, "Delay matrices"): a square of numbers, one row per line,
// separated by blanks or commas; '#' begins a comment. One-way milliseconds, unless the first line
// says otherwise: "unit us|ms|s [round-trip]". Must be symmetric with zeroes from a place to
// itself; each delay at most 60 s, kept in whole microseconds, rounded up. Place p stands at row p
// mod rows; `base` is added to every delay between different places. The triangle inequality is not
// required. The error names `name` and the line.
inline constexpr std::size_t kDelayMatrixPlacesMax = 4096;
tl::expected<std::unique_ptr<Topology>, std::string> make_delay_matrix(
    std::string name, std::string_view text,
    std::chrono::nanoseconds base = std::chrono::microseconds(100));

// The same delay between any two places; zero is allowed.
std::unique_ptr<Topology> make_uniform(std::chrono::nanoseconds delay);

// The whole text of a file, or one line that says why not.
using TextReader = std::function<tl::expected<std::string, std::string>(const std::string& path)>;

// From a description as the command line takes it: "none", "uniform:2ms", "plane", "plane:50ms"
// (side), "sphere", "sphere:80ms" (to the opposite point), "transit-stub", "transit-stub:20ms"
// (link between transit domains), "matrix:FILE". The error is one line that names the accepted
// forms. This room reads no files: matrices need `read_file`.
tl::expected<std::unique_ptr<Topology>, std::string> parse_topology(
    std::string_view text, std::uint64_t seed, const TextReader& read_file = {});

}  // namespace proximity
