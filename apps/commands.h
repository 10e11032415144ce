// The list of all subcommands. One line here and in commands.cc, and a file cmd_NAME.cc, make one.
#pragma once

#include <span>

#include "apps/cli/command.h"

namespace pastry::cli {

std::span<const Command* const> all_commands();

}  // namespace pastry::cli
