// The `pastry` program: finds the subcommand and runs it.
#include <cstdlib>
#include <string>
#include <vector>

#include "apps/cli/command.h"
#include "apps/commands.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return pastry::cli::dispatch(pastry::cli::all_commands(), words,
                               [](const std::string& name) { return std::getenv(name.c_str()); });
}
