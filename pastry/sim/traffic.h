// Messages sent so far, told apart as experiments report them: lookups, their acknowledgements, and
// all the rest, which is what upkeep costs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct Traffic {
  explicit Traffic(const SimulatorCounters& counters);

  // What was sent of each kind of control message since `before`; kinds without any left out.
  std::vector<std::pair<std::string, std::uint64_t>> control_since(const Traffic& before) const;

  // The same with the kind as index of the variant.
  std::vector<std::pair<std::size_t, std::uint64_t>> control_by_index(const Traffic& before) const;

  std::uint64_t lookups = 0;      // each hop, and outcomes
  std::uint64_t lookup_acks = 0;  // of hops
  std::uint64_t control = 0;
  std::array<std::uint64_t, kMessageKinds> by_kind{};
};

}  // namespace pastry::sim
