#include "apps/commands.h"

#include <array>

namespace pastry::cli {

extern const Command kStatusCommand;

std::span<const Command* const> all_commands() {
  static constexpr std::array<const Command*, 1> kCommands{
      &kStatusCommand,
  };
  return kCommands;
}

}  // namespace pastry::cli
