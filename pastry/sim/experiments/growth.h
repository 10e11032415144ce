// The first phase of every experiment: a ring that grows by joins.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "pastry/core/error.h"
#include "pastry/sim/ring_builder.h"

namespace pastry::sim {

// Told now and then, for a progress display.
using ExperimentProgress =
    std::function<void(std::string_view phase, std::size_t done, std::size_t total)>;

// grow_ring() with `progress` (may be empty) told of the phase "joining". Errors: failed (not all
// became active; says how many).
Result<GrowthResult> grow_experiment(Simulator& simulator, std::size_t nodes,
                                     const ExperimentProgress& progress, RingGrowth growth = {});

// What experiments with lookups of replicated keys demand: replicas 1 … l/2 + 1, lookups 1 … 100
// million, a valid simulation. Error: invalid.
Result<void> validate_experiment(const SimulatorOptions& options, int replicas,
                                 std::size_t lookups);

}  // namespace pastry::sim
