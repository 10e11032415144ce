#include "apps/cli/metric.h"

#include <algorithm>
#include <string_view>

namespace pastry::cli {
namespace {

constexpr char kBetweenLocations = ';';

std::vector<proximity::Location> read_locations(std::string_view text, Reader& reader) {
  std::vector<proximity::Location> locations;
  for (bool more = !text.empty(); more;) {
    const std::size_t end = std::min(text.find(kBetweenLocations), text.size());
    more = end < text.size();
    const auto coordinates = proximity::parse_coordinates(text.substr(0, end));
    if (!coordinates) {
      reader.note({ErrorCode::invalid, "--location: " + coordinates.error()});
      return locations;
    }
    locations.emplace_back(*coordinates);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return locations;
}

// What the metric lacks, or nothing.
const char* lacking(const MetricChoice& choice, const proximity::Topology* topology) {
  const bool globe = topology != nullptr && topology->coordinates(0);
  if (choice.kind == MetricKind::geographic && choice.locations.empty() && !globe)
    return "--metric geo needs --location LAT,LON, or --topology sphere";
  const bool routers = topology != nullptr && topology->routers_between(0, 1);
  if (choice.kind == MetricKind::hops && !routers)
    return "--metric hops needs --topology transit-stub: no other network tells its routers";
  return nullptr;
}

}  // namespace

std::vector<OptionSpec> metric_options(const std::string& location_help) {
  return {
      {"metric", 0, "METRIC", "what is near: rtt (measured), subnet, geo or hops", "rtt"},
      {"location", 0, "LAT,LON", location_help},
  };
}

MetricChoice read_metric(const Options& options, Reader& reader,
                         const proximity::Topology* topology) {
  MetricChoice choice;
  choice.kind = static_cast<MetricKind>(reader.choice("metric", {"rtt", "subnet", "geo", "hops"}));
  choice.locations = read_locations(options.text("location"), reader);
  if (const char* what = lacking(choice, topology)) reader.note({ErrorCode::invalid, what});
  return choice;
}

}  // namespace pastry::cli
