// Chooses the planted bug of this process: PASTRY_PLANTED_BUG=NAME, "list" prints the names.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "pastry/core/planted_bugs.h"

namespace pastry {
namespace {

PlantedBug from_environment() {
  const char* text = std::getenv("PASTRY_PLANTED_BUG");
  const std::string_view wanted = text == nullptr ? "none" : text;
  for (std::size_t i = 0; i < kPlantedBugNames.size(); ++i) {
    if (kPlantedBugNames[i] == wanted) return static_cast<PlantedBug>(i);
  }
  for (const std::string_view name : kPlantedBugNames) {
    std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
  }
  std::fflush(stdout);
  std::_Exit(wanted == "list" ? 0 : 2);
}

}  // namespace

PlantedBug planted_bug = from_environment();

}  // namespace pastry
