// pastry cluster: a test cluster of real nodes on this machine.
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/cluster/scenario_driver.h"
#include "apps/cluster/supervisor.h"
#include "apps/node_settings.h"
#include "apps/sim/scenario_file.h"
#include "pastry/sim/scenario/scenario_stage.h"

namespace pastry::cli {
namespace {

// Carries a scenario out on the running cluster while the supervisor serves.
Result<Exit> run_scenario(cluster::Supervisor& supervisor, const sim::Scenario& scenario,
                          const Options& options, bool json) {
  Reader reader(options);
  const auto seed = static_cast<std::uint64_t>(reader.integer("seed", 0, INT64_MAX));
  Result<sim::ScenarioReport> report = fail(ErrorCode::failed, "the scenario was interrupted");
  std::thread runner([&] {
    auto driver =
        cluster::ClusterDriver::open(supervisor.endpoint(), ::getpid(), options.text("runtime-dir"),
                                     seed, [&] { return supervisor.interrupted(); });
    if (!driver) {
      report = tl::unexpected<Error>(driver.error());
    } else {
      report = sim::run_scenario(scenario, **driver, [&](const sim::StepReport& step) {
        if (!json) write_out(step_text(scenario.name, step));
      });
    }
    supervisor.stop();
  });
  supervisor.run();
  runner.join();
  if (supervisor.interrupted()) {
    return fail(ErrorCode::failed, "interrupted before the scenario was over");
  }
  if (!report) return tl::unexpected<Error>(report.error());
  const auto printed = json ? print(to_json(*report)) : print_text(summary_text(*report));
  if (!printed) return printed;
  return report->holds() ? Exit::done : Exit::violated;
}

void take_metric(const OverlayConfig& overlay, cluster::ClusterSettings& settings, Reader& reader) {
  for (const proximity::Location& location : overlay.metric.locations) {
    settings.locations.push_back(proximity::location_text(location));
  }
  const bool by_topology =
      overlay.metric.kind == MetricKind::geographic && settings.locations.empty();
  if (by_topology && settings.hosts != 0 && settings.hosts < settings.nodes) {
    reader.note({ErrorCode::invalid,
                 "--metric geo: with several nodes in a process it needs --location LAT,LON"});
  }
}

Result<cluster::ClusterSettings> read_settings(const Options& options) {
  Reader reader(options);
  cluster::ClusterSettings settings;
  settings.nodes = static_cast<std::size_t>(reader.integer("nodes", 1, 4096));
  settings.hosts = static_cast<std::size_t>(reader.integer("hosts", 0, 4096));
  settings.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, INT64_MAX));
  settings.base_port = static_cast<int>(reader.integer("base-port", 0, 65535));
  settings.data_dir = options.text("data");
  settings.runtime_dir = options.text("runtime-dir");
  take_metric(read_config(options, reader), settings, reader);
  if (settings.hosts > settings.nodes) {
    reader.note({ErrorCode::invalid, "--hosts cannot be more than --nodes"});
  }
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  Options own = options;
  if (settings.seed != 0) own.set_default("topology-seed", std::to_string(settings.seed));
  settings.node_flags = overlay_flags(own);
  return settings;
}

Result<Exit> announce(const cluster::Supervisor& supervisor, double seconds, bool json) {
  const control::Json nodes = supervisor.nodes_json();
  if (json) {
    return print({{"event", "ready"},
                  {"seconds", seconds},
                  {"control", supervisor.endpoint()},
                  {"nodes", nodes}});
  }
  std::string text;
  for (const control::Json& node : nodes) {
    text += node.value("id", "") + "  " + node.value("endpoint", "") + "  pid " +
            node.at("pid").dump() + "\n";
  }
  text += std::to_string(nodes.size()) + " nodes are active after " + std::to_string(seconds) +
          " s; stop with Ctrl-C\n";
  return print_text(text);
}

Result<Exit> run(const Invocation& invocation) {
  Options options = invocation.options;
  std::optional<sim::Scenario> scenario;
  if (!options.text("run").empty()) {
    auto read = read_scenario(options.text("run"));
    if (!read) return tl::unexpected<Error>(read.error());
    if (auto possible = sim::check_stage(*read, sim::Stage::cluster); !possible) {
      return tl::unexpected<Error>(possible.error());
    }
    options = with_settings(options, *read);
    scenario = std::move(*read);
  }
  auto settings = read_settings(options);
  if (!settings) return tl::unexpected<Error>(settings.error());
  const auto begin = std::chrono::steady_clock::now();
  auto supervisor = cluster::Supervisor::open(std::move(*settings));
  if (!supervisor) return tl::unexpected<Error>(supervisor.error());
  write_error("pastry cluster: insecure: nodes accept any peer on the loopback interface\n");
  const auto started = (*supervisor)->start(control::Deadline::in(invocation.timeout));
  if (!started) return tl::unexpected<Error>(started.error());
  if (!*started) return Exit::done;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const auto announced = announce(**supervisor, took.count(), invocation.json);
  if (!announced) return announced;
  if (scenario) return run_scenario(**supervisor, *scenario, options, invocation.json);
  (*supervisor)->run();
  return Exit::done;
}

std::vector<OptionSpec> options() {
  std::vector<OptionSpec> specs{
      {"nodes", 'n', "N", "how many nodes", "8"},
      {"hosts", 0, "H", "in how many processes (0: each node its own)", "0"},
      {"seed", 0, "S", "of node ids and places in the topology (0: random ids)", "0"},
      {"data", 0, "DIR", "keep data here (default: a temporary directory, removed at the end)"},
      {"base-port", 0, "P", "first of three ports per process (0: any free ones)", "0"},
      {"runtime-dir", 0, "DIR", "where running nodes are listed"},
      {"run", 0, "SCENARIO", "carry out a scenario file, then stop (docs/simulator.md)"},
  };
  const auto metric = metric_options(
      "where processes stand on the earth, in degrees; several: \"LAT,LON;LAT,LON\", in turn");
  specs.insert(specs.end(), metric.begin(), metric.end());
  const auto overlay = overlay_options("lan");
  specs.insert(specs.end(), overlay.begin(), overlay.end());
  return specs;
}

}  // namespace

extern const Command kClusterCommand;
const Command kClusterCommand{
    .name = "cluster",
    .summary = "A test cluster of real nodes on this machine.",
    .details =
        "Lists the nodes when all are active and the ring is right (--json: one 'ready' line), "
        "runs "
        "until Ctrl-C, and takes every process down with it. --timeout bounds the start. See also "
        "'pastry cluster kill', 'restart', 'add', 'pause', 'partition', 'heal', 'wait-healthy'. "
        "With --run it ends with exit code 10 if an expectation does not hold.",
    .example = "pastry cluster --nodes 16 --leaf-set 8 --topology plane:20ms --json",
    .timeout = "120",
    .options = options(),
    .run = run};

}  // namespace pastry::cli
