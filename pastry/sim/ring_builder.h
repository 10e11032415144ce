// Grows a simulated ring by the protocol's own joins, at a rate proportional to its size.
//
// A constant share of the active nodes has a joiner in flight, so that a ring of any size is there
// after a few dozen round trips of virtual time per doubling.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct RingGrowth {
  // Joiners in flight per active node.
  double in_flight = 0.25;
  // Growing ends without success when no node became active for this long.
  Duration patience = minutes(5);
  // Told after some of the joins: nodes active so far.
  std::function<void(std::size_t active)> progress;
};

struct GrowthResult {
  bool complete = false;  // all nodes are active
  std::size_t active = 0;
  std::uint64_t joins = 0;                             // started
  std::uint64_t messages = 0;                          // sent by anybody meanwhile
  std::array<std::uint64_t, kMessageKinds> by_kind{};  // the same by their kind
};

// Adds nodes with random ids until the simulation has `nodes`, founds the ring if it has none, and
// joins every other through a random active node.
GrowthResult grow_ring(Simulator& simulator, std::size_t nodes, const RingGrowth& growth = {});

// A random node that is active and not paused; kNoNode if there is none.
NodeIndex random_active(Simulator& simulator);

}  // namespace pastry::sim
