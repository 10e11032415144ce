// `pastry-sim`: only the simulations of `pastry`, for those who work on the overlay and do not want
// to compile the whole product. Not built by default, not installed.
#include <cstdlib>
#include <string>
#include <vector>

#include "apps/cli/program.h"
#include "apps/sim/sim_commands.h"

int main(int argc, char** argv) {
  pastry::cli::set_program({"pastry-sim", "Simulations of the overlay.",
                            "pastry-sim sim route --nodes 1000 --lookups 20000 --seed 1"});
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return pastry::cli::dispatch(pastry::cli::simulation_commands(), words,
                               [](const std::string& name) { return std::getenv(name.c_str()); });
}
