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

}  // namespace pastry::sim
