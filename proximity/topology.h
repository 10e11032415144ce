// Emulated network topologies: the delay between any two points, computed, not stored.
//
// The same object delays messages in the simulator and in a real test cluster (user space, no
// privileges). A point is derived from a 64-bit place number (the simulator uses the node's index,
// a cluster the high half of the node's id), so that every process computes the same delay without
// being told. Immutable after construction; safe to use from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace proximity {

class Topology {
 public:
  virtual ~Topology() = default;

  // One-way delay between two places; symmetric, zero from a place to itself.
  virtual std::chrono::nanoseconds delay(std::uint64_t from, std::uint64_t to) const = 0;

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

// The same delay between any two places; zero is allowed.
std::unique_ptr<Topology> make_uniform(std::chrono::nanoseconds delay);

// From a description as the command line takes it: "none", "uniform:2ms",
// "plane", "plane:50ms" (side). The error is one line that names the accepted forms.
tl::expected<std::unique_ptr<Topology>, std::string> parse_topology(std::string_view text,
                                                                    std::uint64_t seed);

}  // namespace proximity
