// --set: the timers and bounds of nodes by name, shared by everything that has nodes.
#pragma once

#include "apps/cli/options.h"
#include "pastry/core/config.h"

namespace pastry::cli {

OptionSpec parameter_option();

// Sets what --set names in `config`, which the caller has validated afterwards. Errors, noted in
// `reader`: what is not NAME=VALUE, no parameter, or no value for it.
void read_parameters(const Options& options, Reader& reader, Config& config);

}  // namespace pastry::cli
