#include "apps/sim/sim_common.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <iomanip>
#include <sstream>
#include <thread>

#include "apps/cli/metric.h"
#include "apps/cli/parameters.h"
#include "apps/cli/topology.h"

namespace pastry::cli {

std::vector<OptionSpec> simulation_options(std::vector<OptionSpec> own, std::string leaf_set) {
  const std::vector<OptionSpec> common = {
      {"nodes", 'n', "N", "nodes that join", "10000"},
      {"topology", 0, "T",
       "none, uniform:DELAY, plane:SIDE, sphere:HALF, transit-stub:LINK or matrix:FILE", "plane"},
      {"seed", 's', "S", "decides everything that is random", "1"},
      profile_option("wan"),
      parameter_option(),
      {"digit-bits", 'b', "B", "bits per digit, 1-8", "4"},
      {"leaf-set", 'l', "L", "size of the leaf set", std::move(leaf_set)},
      {"neighbourhood", 'm', "M", "size of the neighbourhood set", "32"},
      {"no-encode", 0, "", "hand messages over without encoding them"},
      report_option(),
  };
  own.insert(own.begin(), common.begin(), common.end());
  const auto metric = metric_options(
      "where nodes stand on the earth, in degrees; several: \"LAT,LON;LAT,LON\", in turn");
  own.insert(own.begin() + 2, metric.begin(), metric.end());
  return own;
}

std::vector<OptionSpec> with_network_options(std::vector<OptionSpec> own) {
  const auto share = [&](const char* name, const char* help, const char* usual = "0") {
    own.push_back({name, 0, "P", help, usual});
  };
  const auto time = [&](const char* name, const char* help, const char* usual) {
    own.push_back({name, 0, "TIME", help, usual});
  };
  share("loss", "probability that a message is lost");
  share("duplication", "probability that a message arrives twice");
  share("reordering", "probability that a message is delayed further");
  time("reordering-delay", "by up to this long", "100ms");
  share("gray-links", "share of the links that lose many messages");
  share("gray-loss", "share of its messages that such a link loses", "0.3");
  share("blocked-links", "share of the pairs of nodes that cannot talk");
  share("one-way-links", "share of the pairs that can talk in one direction only");
  share("slow-nodes", "share of the nodes that are slow");
  time("slow-processing", "what a slow node takes for each message", "5ms");
  return own;
}

sim::NetworkOptions network_options(Reader& reader, const Options& options) {
  sim::NetworkOptions network;
  for (const sim::NetworkShare& share : sim::kNetworkShares) {
    network.*share.value = probability(reader, options, std::string(share.option));
  }
  network.reordering_delay = reader.duration("reordering-delay");
  network.slow_processing = reader.duration("slow-processing");
  if (const Result<void> valid = network.validate(); !valid) reader.note(valid.error());
  return network;
}

double number(Reader& reader, const Options& options, const std::string& name, double min,
              double max) {
  const std::string text = options.text(name);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= min && value <= max) {
    return value;
  }
  std::ostringstream range;
  range << "--" << name << ": '" << text << "' is not a number between " << min << " and " << max;
  reader.note({ErrorCode::invalid, range.str()});
  return min;
}

double probability(Reader& reader, const Options& options, const std::string& name) {
  return number(reader, options, name, 0, 1);
}

sim::SimulatorOptions simulator_options(Reader& reader, const Options& options) {
  sim::SimulatorOptions simulator;
  simulator.config = read_profile(reader);
  read_parameters(options, reader, simulator.config);
  simulator.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, INT64_MAX));
  simulator.config.digit_bits = static_cast<int>(reader.integer("digit-bits", 1, 8));
  simulator.config.leaf_set = static_cast<int>(reader.integer("leaf-set", 2, 128));
  simulator.config.neighbourhood = static_cast<int>(reader.integer("neighbourhood", 0, 128));
  simulator.encode = !options.flag("no-encode");
  auto topology = read_topology(options.text("topology"), simulator.seed);
  if (topology) {
    simulator.topology = std::move(*topology);
  } else {
    reader.note({ErrorCode::invalid, "--topology: " + topology.error().message});
  }
  MetricChoice metric = read_metric(options, reader, simulator.topology.get());
  simulator.metric = metric.kind;
  simulator.locations = std::move(metric.locations);
  const bool addressed = simulator.topology && simulator.topology->address(0);
  if (simulator.metric == MetricKind::subnet && !addressed) {
    reader.note({ErrorCode::invalid,
                 "--metric subnet needs --topology transit-stub: no other gives addresses"});
  }
  if (const Result<void> valid = simulator.config.validate(); !valid) reader.note(valid.error());
  if (simulator.topology) {
    const auto nodes = static_cast<std::uint64_t>(
        std::max<std::int64_t>(parse_integer(options.text("nodes")).value_or(0), 0));
    const Result<void> near = check_round_trips(*simulator.topology, options.text("topology"),
                                                nodes, simulator.config.probe_timeout);
    if (!near) reader.note(near.error());
  }
  return simulator;
}

std::optional<std::uint64_t> parse_seed(std::string_view text) {
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

void PhaseProgress::operator()(std::string_view phase, std::size_t done, std::size_t total) {
  if (phase != phase_) {
    progress_.reset();
    progress_ = std::make_unique<Progress>(std::string(phase), total);
    phase_ = phase;
  }
  progress_->show(done);
}

void add_run(nlohmann::json& json, const sim::RunFigures& run) {
  json["features"] = run.features;
  json["virtual_s"] = run.virtual_s;
  json["events"] = run.events;
  json["wall_s"] = run.wall_s;
  json["peak_rss_bytes"] = run.peak_rss_bytes;
  json["trace_hash"] = hex(run.trace_hash);
}

std::string run_text(const sim::RunFigures& run) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1);
  text << "time      " << run.virtual_s << " s virtual, " << run.wall_s << " s real, " << run.events
       << " events, " << size_text(run.peak_rss_bytes) << " at most\nfeatures  ";
  for (const std::string& feature : run.features) text << feature << " ";
  text << "\ntrace     " << hex(run.trace_hash) << "\n";
  return text.str();
}

std::string hex(std::uint64_t value) {
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << value;
  return text.str();
}

void give_up_after(const Invocation& invocation, std::function<std::string()> unfinished) {
  if (invocation.timeout <= Duration::zero()) return;
  std::thread([command = invocation.command, json = invocation.json, time = invocation.timeout,
               unfinished = std::move(unfinished)] {
    std::this_thread::sleep_for(time);
    const std::string what = unfinished ? unfinished() : "";
    std::_Exit(report(command, {ErrorCode::timed_out, "timed out" + what}, json));
  }).detach();
}

Result<Exit> show(const Invocation& invocation, const Exhibit& exhibit) {
  for (const auto& [what, findings] : exhibit.findings) {
    if (!findings.ok()) write_error(what + ": " + findings.text() + "\n");
  }
  const Result<Exit> printed = invocation.json ? print(exhibit.json) : print_text(exhibit.text);
  if (!printed) return printed;
  const Result<Exit> written = write_report(exhibit.page, invocation.options);
  if (!written) return written;
  return exhibit.holds ? Exit::done : Exit::violated;
}

}  // namespace pastry::cli
