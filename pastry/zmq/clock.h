// The host's clocks.
#pragma once

#include "pastry/core/timestamp.h"

namespace pastry::host {

// CLOCK_BOOTTIME: monotonic and counts suspend, so that a lease does not outlive a closed lid.
Time boot_time();

WallTime wall_time();

}  // namespace pastry::host
