// pastry sim idle: what a node costs that has nothing to do, with everything a real node runs.
#include <deque>
#include <functional>
#include <iomanip>
#include <sstream>

#include "apps/service/node_stack.h"
#include "apps/sim/sim_common.h"
#include "pastry/identity/sha256.h"
#include "pastry/replica/memory_store.h"
#include "pastry/sim/experiments/idle.h"

namespace pastry::cli {
namespace {

using sim::IdleExperiment;
using sim::IdleReport;

nlohmann::json to_json(const IdleReport& report) {
  return {
      {"nodes_first", report.nodes_first},
      {"nodes", report.nodes},
      {"heap_first_bytes", report.heap_first},
      {"heap_bytes", report.heap},
      {"bytes_per_node", report.bytes_per_node},
      {"pending_events", report.pending_events},
      {"events_per_node_s", report.events_per_node_s},
      {"virtual_s", report.virtual_s},
      {"wall_s", report.wall_s},
      {"trace_hash", hex(report.trace_hash)},
  };
}

std::string to_text(const IdleReport& report) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3);
  text << report.bytes_per_node << " bytes per idle node (live heap from " << report.nodes_first
       << " to " << report.nodes << " nodes: " << size_text(report.heap_first) << " to "
       << size_text(report.heap) << ")\n";
  text << report.pending_events << " events pending, " << report.events_per_node_s
       << " per node and second\n";
  text << report.virtual_s << " s virtual, " << report.wall_s << " s real\n";
  return text.str();
}

// What a real node runs, for every simulated node; must outlive the simulation.
class Services {
 public:
  Services() {
    options_.scribe.hash = &hash_;
    options_.scribe.overlay = "simulation";
  }

  void install(sim::SimulatorOptions& simulator) {
    simulator.hash = &hash_;
    simulator.applications = [this](sim::Simulator&, sim::NodeIndex, Node& node) {
      stacks_.emplace_back(node, hash_, options_);
    };
    simulator.stores = [this](sim::NodeIndex) {
      return std::make_unique<replica::MemoryStore>(hash_);
    };
  }

 private:
  identity::Sha256 hash_;
  service::ServiceOptions options_;
  std::deque<service::NodeStack> stacks_;
};

Result<Exit> run_idle(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  PhaseProgress progress;
  Services services;
  IdleExperiment experiment;
  experiment.simulator = simulator_options(reader, options);
  if (!options.flag("bare")) services.install(experiment.simulator);
  experiment.nodes = static_cast<std::size_t>(reader.integer("nodes", 2, kSimulatedNodesMax));
  experiment.nodes_first = experiment.nodes / 2;
  const std::int64_t limit = reader.integer("limit", 0, INT32_MAX);
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  if (!invocation.json) experiment.progress = std::ref(progress);
  give_up_after(invocation);

  const Result<IdleReport> report = sim::run_idle_experiment(experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  const Result<Exit> printed =
      invocation.json ? print(to_json(*report)) : print_text(to_text(*report));
  if (!printed) return printed;
  const bool within = limit == 0 || report->bytes_per_node <= static_cast<std::uint64_t>(limit);
  if (within) return Exit::done;
  write_error("pastry sim idle: a node costs " + std::to_string(report->bytes_per_node) +
              " bytes, more than --limit " + std::to_string(limit) + "\n");
  return Exit::violated;
}

// It has no figures that a page would show.
std::vector<OptionSpec> options() {
  std::vector<OptionSpec> specs = simulation_options(
      {{"bare", 0, "", "nodes without files, topics and lookups on them"},
       {"limit", 0, "BYTES", "exit code 10 if a node costs more (0: no limit)", "0"}},
      "32");
  std::erase_if(specs, [](const OptionSpec& spec) { return spec.name == "report"; });
  return specs;
}

}  // namespace

extern const Command kSimIdleCommand;
const Command kSimIdleCommand{
    .name = "sim idle",
    .summary = "Measures the heap that an idle node costs, everything included.",
    .example = "pastry sim idle --nodes 10000 --limit 2048",
    .timeout = "0",
    .options = options(),
    .run = run_idle};

}  // namespace pastry::cli
