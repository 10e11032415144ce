#include "apps/commands.h"

#include <array>

namespace pastry::cli {

extern const Command kSimIdleCommand;
extern const Command kSimRouteCommand;
extern const Command kStatusCommand;

std::span<const Command* const> all_commands() {
  static constexpr std::array<const Command*, 3> kCommands{
      &kSimIdleCommand,
      &kSimRouteCommand,
      &kStatusCommand,
  };
  return kCommands;
}

}  // namespace pastry::cli
