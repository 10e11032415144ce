// Which steps of a scenario only the simulator or only a cluster of real processes can do; to be
// asked before anything runs.
#pragma once

#include <cstdint>

#include "pastry/core/error.h"
#include "pastry/sim/scenario/scenario.h"

namespace pastry::sim {

enum class Stage : std::uint8_t { simulator, cluster };

// Errors: invalid, the first step that cannot be done there, with file and line.
Result<void> check_stage(const Scenario& scenario, Stage stage);

}  // namespace pastry::sim
