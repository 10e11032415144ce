// The options that describe nodes, shared by `pastry node` and `pastry cluster`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/cli/metric.h"
#include "apps/cli/options.h"
#include "pastry/core/config.h"
#include "proximity/topology.h"

namespace pastry::cli {

// Options of the overlay's parameters; the same on every node of a ring, but for --location.
std::vector<OptionSpec> overlay_options(const std::string& profile);

struct OverlayConfig {
  Config config;                                        // validated
  std::shared_ptr<const proximity::Topology> topology;  // null: no emulated delays
  MetricChoice metric;                                  // not in `config` yet
};

// Reads them; notes what is wrong in the reader, the result is then not to be used.
OverlayConfig read_config(const Options& options, Reader& reader);

// The flags by which another `pastry node` gets the same overlay options.
std::vector<std::string> overlay_flags(const Options& options);

}  // namespace pastry::cli
