// The simulations that need nothing but the overlay: part of `pastry`, and all of `pastry-sim`.
#pragma once

#include <span>

#include "apps/cli/command.h"

namespace pastry::cli {

std::span<const Command* const> simulation_commands();

}  // namespace pastry::cli
