// The options that describe nodes, shared by `pastry node` and `pastry cluster`.
#pragma once

#include "apps/cli/options.h"
#include "pastry/core/config.h"

namespace pastry::cli {

// Options of the overlay's parameters; the same on every node of a ring.
std::vector<OptionSpec> overlay_options(const std::string& profile);

// Reads them into a validated configuration; notes what is wrong in the reader. Checks the topology
// as well.
Config read_config(const Options& options, Reader& reader);

// The flags by which another `pastry node` gets the same overlay options.
std::vector<std::string> overlay_flags(const Options& options);

}  // namespace pastry::cli
