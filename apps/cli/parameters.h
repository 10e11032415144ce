// --profile and --set: the timers and bounds of nodes by name, shared by everything that has nodes.
#pragma once

#include <string>

#include "apps/cli/options.h"
#include "pastry/core/config.h"

namespace pastry::cli {

// `usual`: the profile if none is named.
OptionSpec profile_option(std::string usual);
OptionSpec parameter_option();

// The parameters of the profile that is named; those of the first one, and a note in `reader`, if
// there is no such profile.
Config read_profile(Reader& reader);

// Sets what --set names in `config`, which the caller has validated afterwards. Errors, noted in
// `reader`: what is not NAME=VALUE, no parameter, or no value for it.
void read_parameters(const Options& options, Reader& reader, Config& config);

}  // namespace pastry::cli
