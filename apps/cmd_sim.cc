// pastry sim EXPERIMENT: simulations of many nodes with the production protocol.
#include <charconv>
#include <cstdlib>
#include <deque>
#include <iomanip>
#include <sstream>
#include <thread>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/service/node_stack.h"
#include "pastry/identity/sha256.h"
#include "pastry/replica/memory_store.h"
#include "pastry/sim/experiments/idle.h"
#include "pastry/sim/experiments/route.h"

namespace pastry::cli {
namespace {

using sim::IdleExperiment;
using sim::IdleReport;
using sim::RouteExperiment;
using sim::RouteReport;

constexpr std::int64_t kNodesMax = 10'000'000;

std::vector<OptionSpec> simulation_options(std::vector<OptionSpec> own, std::string leaf_set) {
  const std::vector<OptionSpec> common = {
      {"nodes", 'n', "N", "nodes that join", "10000"},
      {"topology", 0, "T", "none, uniform:DELAY, plane or plane:SIDE (one-way delay)", "plane"},
      {"seed", 's', "S", "decides everything that is random", "1"},
      {"profile", 0, "NAME", "timers: wan or lan", "wan"},
      {"digit-bits", 'b', "B", "bits per digit, 1-8", "4"},
      {"leaf-set", 'l', "L", "size of the leaf set", std::move(leaf_set)},
      {"neighbourhood", 'm', "M", "size of the neighbourhood set", "32"},
      {"no-encode", 0, "", "hand messages over without encoding them"},
  };
  own.insert(own.begin(), common.begin(), common.end());
  return own;
}

double probability(Reader& reader, const Options& options, const std::string& name) {
  const std::string text = options.text(name);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) {
    reader.note({ErrorCode::invalid, "--" + name + ": '" + text + "' is not between 0 and 1"});
  }
  return value;
}

sim::SimulatorOptions simulator_options(Reader& reader, const Options& options) {
  sim::SimulatorOptions simulator;
  simulator.config = reader.choice("profile", {"wan", "lan"}) == 0 ? Config::wan() : Config::lan();
  simulator.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, INT64_MAX));
  simulator.config.digit_bits = static_cast<int>(reader.integer("digit-bits", 1, 8));
  simulator.config.leaf_set = static_cast<int>(reader.integer("leaf-set", 2, 128));
  simulator.config.neighbourhood = static_cast<int>(reader.integer("neighbourhood", 0, 128));
  simulator.encode = !options.flag("no-encode");
  auto topology = proximity::parse_topology(options.text("topology"), simulator.seed);
  if (topology) {
    simulator.topology = std::move(*topology);
  } else {
    reader.note({ErrorCode::invalid, "--topology: " + topology.error()});
  }
  if (const Result<void> valid = simulator.config.validate(); !valid) reader.note(valid.error());
  return simulator;
}

// A bar per phase.
class PhaseProgress {
 public:
  void operator()(std::string_view phase, std::size_t done, std::size_t total) {
    if (phase != phase_) {
      progress_.reset();
      progress_ = std::make_unique<Progress>(std::string(phase), total);
      phase_ = phase;
    }
    progress_->show(done);
  }

 private:
  std::string phase_;
  std::unique_ptr<Progress> progress_;
};

std::string hex(std::uint64_t value) {
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << value;
  return text.str();
}

void print_findings(const sim::Findings& findings) {
  if (findings.ok()) return;
  write_error("invariants violated: " + findings.text() + "\n");
}

nlohmann::json to_json(const RouteReport& report) {
  return {
      {"nodes", report.nodes},
      {"lookups", report.lookups},
      {"hops",
       {{"mean", report.hops_mean},
        {"max", report.hops_max},
        {"histogram", report.hops_histogram}}},
      {"stretch",
       {{"total", report.stretch_total},
        {"mean", report.stretch_mean},
        {"p50", report.stretch_p50},
        {"p99", report.stretch_p99}}},
      {"wrong_root", report.wrong_root},
      {"lost", report.lost},
      {"duplicates", report.duplicates},
      {"violations", report.findings.count},
      {"join", {{"messages_mean", report.join_messages_mean}}},
      {"routing_table_entries_mean", report.routing_table_entries_mean},
      {"routing_table_fill", report.routing_table_fill},
      {"features", report.features},
      {"bytes_per_node", report.bytes_per_node},
      {"message_bytes", report.message_bytes},
      {"virtual_s", report.virtual_s},
      {"events", report.events},
      {"wall_s", report.wall_s},
      {"peak_rss_bytes", report.peak_rss_bytes},
      {"trace_hash", hex(report.trace_hash)},
  };
}

std::string to_text(const RouteReport& report) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3);
  text << report.nodes << " nodes, " << report.lookups << " lookups\n";
  text << "hops      mean " << report.hops_mean << ", maximum " << report.hops_max << "\n";
  for (std::size_t hops = 0; hops < report.hops_histogram.size(); ++hops) {
    text << "          " << hops << ": " << report.hops_histogram[hops] << " ("
         << 100.0 * static_cast<double>(report.hops_histogram[hops]) /
                static_cast<double>(report.lookups)
         << " %)\n";
  }
  text << "stretch   total " << report.stretch_total << ", mean " << report.stretch_mean << ", p50 "
       << report.stretch_p50 << ", p99 " << report.stretch_p99 << "\n";
  text << "roots     wrong " << report.wrong_root << ", lost " << report.lost << ", doubled "
       << report.duplicates << "\n";
  text << "joins     " << report.join_messages_mean << " messages each\n";
  text << "tables    " << report.routing_table_entries_mean << " entries each, "
       << 100 * report.routing_table_fill << " % of what is possible\n";
  text << "memory    " << report.bytes_per_node << " bytes per node, "
       << size_text(report.peak_rss_bytes) << " at most\n";
  text << "time      " << report.virtual_s << " s virtual, " << report.wall_s << " s real, "
       << report.events << " events, " << size_text(report.message_bytes) << " sent\n";
  text << "features  ";
  for (const std::string& feature : report.features) text << feature << " ";
  text << "\ntrace     " << hex(report.trace_hash) << "\n";
  return text.str();
}

// Ends the process when the time is up: a simulation owns nothing outside of it.
void give_up_after(const Invocation& invocation) {
  if (invocation.timeout <= Duration::zero()) return;
  std::thread([command = invocation.command, json = invocation.json, time = invocation.timeout] {
    std::this_thread::sleep_for(time);
    std::_Exit(report(command, {ErrorCode::timed_out, "timed out"}, json));
  }).detach();
}

Result<Exit> run_route(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  PhaseProgress progress;
  RouteExperiment experiment;
  experiment.simulator = simulator_options(reader, options);
  experiment.simulator.loss = probability(reader, options, "loss");
  experiment.simulator.duplication = probability(reader, options, "duplication");
  experiment.simulator.check_told = options.flag("check-told");
  experiment.nodes = static_cast<std::size_t>(reader.integer("nodes", 1, kNodesMax));
  experiment.lookups = static_cast<std::size_t>(reader.integer("lookups", 0, INT32_MAX));
  experiment.random_keys = reader.choice("keys", {"nodes", "random"}) == 1;
  experiment.in_flight = static_cast<double>(reader.integer("in-flight", 1, 1000)) / 100.0;
  experiment.rest = reader.duration("rest");
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  if (!invocation.json) experiment.progress = std::ref(progress);
  give_up_after(invocation);

  const Result<RouteReport> report = sim::run_route_experiment(experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  print_findings(report->findings);
  const Result<Exit> printed =
      invocation.json ? print(to_json(*report)) : print_text(to_text(*report));
  if (!printed) return printed;
  return report->holds() ? Exit::done : Exit::violated;
}

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
  experiment.nodes = static_cast<std::size_t>(reader.integer("nodes", 2, kNodesMax));
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
  return within ? Exit::done : Exit::violated;
}

}  // namespace

extern const Command kSimRouteCommand;
const Command kSimRouteCommand{
    .name = "sim route",
    .summary = "Grows a ring by joins and measures lookups: hops, stretch, roots.",
    .details =
        "Ends with exit code 10 if a lookup was lost, doubled or reached a wrong root, or a "
        "table is wrong.",
    .example = "pastry sim route --nodes 10000 --lookups 100000 --leaf-set 16 --seed 1",
    .timeout = "0",
    .options = simulation_options(
        {{"lookups", 0, "M", "lookups between random nodes", "100000"},
         {"keys", 0, "KIND", "nodes (ids of live nodes) or random", "nodes"},
         {"loss", 0, "P", "probability that a message is lost", "0"},
         {"duplication", 0, "P", "probability that a message arrives twice", "0"},
         {"in-flight", 0, "PERCENT", "joiners at a time, per cent of the active nodes", "25"},
         {"rest", 0, "TIME", "virtual time between joins and lookups", "60s"},
         {"check-told", 0, "", "check that no node knows what no message told it (N^2/8 bytes)"}},
        "16"),
    .run = run_route};

extern const Command kSimIdleCommand;
const Command kSimIdleCommand{
    .name = "sim idle",
    .summary = "Measures the heap that an idle node costs, everything included.",
    .example = "pastry sim idle --nodes 10000 --limit 2048",
    .timeout = "0",
    .options = simulation_options(
        {{"bare", 0, "", "nodes without files, topics and lookups on them"},
         {"limit", 0, "BYTES", "exit code 10 if a node costs more (0: no limit)", "0"}},
        "32"),
    .run = run_idle};

}  // namespace pastry::cli
