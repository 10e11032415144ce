#include "apps/cli/parameters.h"

#include <string>

#include "pastry/core/parameters.h"

namespace pastry::cli {

OptionSpec parameter_option() {
  return {.name = "set",
          .value = "NAME=VALUE",
          .help = "a timer or bound of the profile, like lease=20s; several: with commas, or again",
          .repeatable = true};
}

void read_parameters(const Options& options, Reader& reader, Config& config) {
  for (const std::string& setting : options.list("set")) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      reader.note({ErrorCode::invalid, "--set takes NAME=VALUE, not '" + setting + "'"});
      continue;
    }
    const std::string name = setting.substr(0, equals);
    const Result<void> set = set_parameter(config, name, setting.substr(equals + 1));
    if (!set) reader.note({ErrorCode::invalid, "--set: " + set.error().message});
  }
}

}  // namespace pastry::cli
