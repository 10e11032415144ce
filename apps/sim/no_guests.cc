#include "apps/sim/fuzz_guests.h"

namespace pastry::cli {

sim::fuzz::GuestsFactory fuzz_guests() { return {}; }

}  // namespace pastry::cli
