// pastry cluster: a test cluster of real nodes on this machine.
#include <algorithm>
#include <chrono>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/cluster/supervisor.h"
#include "apps/node_settings.h"

namespace pastry::cli {
namespace {

Result<cluster::ClusterSettings> read_settings(const Options& options) {
  Reader reader(options);
  cluster::ClusterSettings settings;
  settings.nodes = static_cast<std::size_t>(reader.integer("nodes", 1, 4096));
  settings.hosts = static_cast<std::size_t>(reader.integer("hosts", 0, 4096));
  settings.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, INT64_MAX));
  settings.base_port = static_cast<int>(reader.integer("base-port", 0, 65535));
  settings.data_dir = options.text("data");
  settings.runtime_dir = options.text("runtime-dir");
  read_config(options, reader);
  if (settings.hosts > settings.nodes) {
    reader.note({ErrorCode::invalid, "--hosts cannot be more than --nodes"});
  }
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  settings.node_flags = overlay_flags(options);
  if (settings.seed != 0 && !options.given("topology-seed")) {
    std::replace(settings.node_flags.begin(), settings.node_flags.end(),
                 "--topology-seed=" + options.text("topology-seed"),
                 "--topology-seed=" + std::to_string(settings.seed));
  }
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
  auto settings = read_settings(invocation.options);
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
  };
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
        "'pastry cluster kill', 'restart', 'add', 'pause', 'wait-healthy'.",
    .example = "pastry cluster --nodes 16 --leaf-set 8 --topology plane:20ms --json",
    .timeout = "120",
    .options = options(),
    .run = run};

}  // namespace pastry::cli
