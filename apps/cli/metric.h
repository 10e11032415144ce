// The options of the proximity metric, shared by everything that has nodes.
#pragma once

#include <string>
#include <vector>

#include "apps/cli/options.h"
#include "pastry/core/metric.h"
#include "proximity/topology.h"

namespace pastry::cli {

// --metric and --location; `location_help` says whom the locations are of.
std::vector<OptionSpec> metric_options(const std::string& location_help);

struct MetricChoice {
  MetricKind kind = MetricKind::round_trip;
  std::vector<proximity::Location> locations;
};

// Reads them. Errors, noted in `reader`: what is no metric or location, and a metric that lacks
// what it needs: the topology's (may be null) count of routers, or anybody's location.
MetricChoice read_metric(const Options& options, Reader& reader,
                         const proximity::Topology* topology);

}  // namespace pastry::cli
