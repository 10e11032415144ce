// What happens in a simulation, line by line: for `pastry replay`.
#pragma once

#include "pastry/sim/fuzz/run.h"

namespace pastry::sim::fuzz {

// From now on every message sent, received and dropped, every event and every delivery is told.
// Keeps the hooks that the simulator already has.
void narrate(Simulator& simulator, const Narrator& narrator);

}  // namespace pastry::sim::fuzz
