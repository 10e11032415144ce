#include "apps/sim/sim_commands.h"

#include <array>

namespace pastry::cli {

extern const Command kSimRouteCommand;
extern const Command kSimFuzzCommand;
extern const Command kSimModelCommand;
extern const Command kReplayCommand;
extern const Command kSimChurnCommand;
extern const Command kSimFailuresCommand;
extern const Command kSimLocalityCommand;
extern const Command kSimRunCommand;

std::span<const Command* const> simulation_commands() {
  static constexpr std::array kCommands{
      &kSimRouteCommand, &kSimChurnCommand, &kSimFailuresCommand, &kSimLocalityCommand,
      &kSimRunCommand,   &kSimFuzzCommand,  &kSimModelCommand,    &kReplayCommand,
  };
  return kCommands;
}

}  // namespace pastry::cli
