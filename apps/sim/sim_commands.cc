#include "apps/sim/sim_commands.h"

#include <array>

namespace pastry::cli {

extern const Command kSimRouteCommand;

std::span<const Command* const> simulation_commands() {
  static constexpr std::array kCommands{
      &kSimRouteCommand,
  };
  return kCommands;
}

}  // namespace pastry::cli
