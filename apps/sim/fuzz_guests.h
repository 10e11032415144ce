// The services that `sim fuzz` and `replay` put on the nodes: those that the program is linked
// with.
#pragma once

#include "pastry/sim/fuzz/guests.h"

namespace pastry::cli {

// Empty in a program without services.
sim::fuzz::GuestsFactory fuzz_guests();

}  // namespace pastry::cli
