#include "apps/node_settings.h"

#include <algorithm>
#include <array>
#include <utility>

#include "apps/cli/parameters.h"
#include "apps/cli/topology.h"
#include "pastry/wire/limits.h"

namespace pastry::cli {
namespace {

constexpr std::array<const char*, 11> kNames{
    "profile",  "set",           "leaf-set", "digit-bits", "neighbourhood", "overlay",
    "topology", "topology-seed", "capacity", "log-level",  "metric"};

}  // namespace

std::vector<OptionSpec> overlay_options(const std::string& profile) {
  return {
      profile_option(profile),
      parameter_option(),
      {"leaf-set", 'l', "L", "size of the leaf set, even", "32"},
      {"digit-bits", 'b', "B", "bits per digit", "4"},
      {"neighbourhood", 0, "M", "size of the neighbourhood set", "32"},
      {"overlay", 0, "NAME", "name of the overlay; others are refused", "pastry"},
      {"topology", 0, "T",
       "emulated delays: none, uniform:2ms, plane:50ms, sphere:50ms, transit-stub, matrix:FILE",
       "none"},
      {"topology-seed", 0, "S", "places the nodes in the topology", "1"},
      {"capacity", 0, "MIB", "bytes that a process may store, in MiB (0: 64 GiB)", "0"},
      {"log-level", 0, "LEVEL", "debug, info, warn, error or off", "warn"},
  };
}

OverlayConfig read_config(const Options& options, Reader& reader) {
  OverlayConfig result;
  Config& config = result.config;
  config = read_profile(reader);
  read_parameters(options, reader, config);
  config.leaf_set = static_cast<int>(reader.integer("leaf-set", 2, 128));
  config.digit_bits = static_cast<int>(reader.integer("digit-bits", 1, 8));
  config.neighbourhood = static_cast<int>(reader.integer("neighbourhood", 0, 128));
  reader.integer("capacity", 0, INT64_MAX >> 20);
  const std::string overlay = options.text("overlay");
  if (overlay.empty() || overlay.size() > wire::kOverlayNameBytesMax ||
      !std::all_of(overlay.begin(), overlay.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    reader.note({ErrorCode::invalid, "--overlay takes 1 to " +
                                         std::to_string(wire::kOverlayNameBytesMax) +
                                         " printable ASCII characters"});
  }
  reader.choice("log-level", {"debug", "info", "warn", "error", "off"});
  const auto seed = static_cast<std::uint64_t>(reader.integer("topology-seed", 0, INT64_MAX));
  if (const auto valid = config.validate(); !valid) reader.note(valid.error());
  const std::string name = options.text("topology");
  auto topology = read_topology(name, seed);
  if (!topology) {
    reader.note({ErrorCode::invalid, "--topology: " + topology.error().message});
  } else if (name != "none") {
    result.topology = std::move(*topology);
    const Result<void> near =
        check_round_trips(*result.topology, name, UINT64_MAX, config.probe_timeout);
    if (!near) reader.note(near.error());
  }
  result.metric = read_metric(options, reader, result.topology.get());
  return result;
}

std::vector<std::string> overlay_flags(const Options& options) {
  std::vector<std::string> flags;
  for (const char* name : kNames) {
    if (options.text(name).empty()) continue;  // --set without anything
    const std::string value = std::string(name) == "topology"
                                  ? absolute_topology(options.text(name))
                                  : options.text(name);
    flags.push_back(std::string("--") + name + "=" + value);
  }
  return flags;
}

}  // namespace pastry::cli
