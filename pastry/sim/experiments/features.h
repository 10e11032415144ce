// What was on in a simulation, for its report.
#pragma once

#include <string>
#include <vector>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

// The parts of the protocol that always run and the options that are on.
std::vector<std::string> features_of(const SimulatorOptions& options);

}  // namespace pastry::sim
