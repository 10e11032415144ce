// pastry sim churn: lookups while nodes come and go.
#include <fstream>
#include <functional>
#include <iomanip>
#include <sstream>

#include "apps/sim/sim_common.h"
#include "pastry/sim/experiments/churn.h"

namespace pastry::cli {
namespace {

using sim::ChurnExperiment;
using sim::ChurnReport;

nlohmann::json to_json(const ChurnReport& report) {
  nlohmann::json by_kind = nlohmann::json::object();
  for (const auto& [kind, rate] : report.control_by_kind) by_kind[kind] = rate;
  const sim::LookupCounts& lookups = report.lookups;
  return {
      {"nodes", report.nodes},
      {"duration_s", report.duration_s},
      {"lookups", lookups.sent},
      {"incorrect", lookups.incorrect()},
      {"wrong_root", lookups.wrong_root},
      {"twice", lookups.twice},
      {"lost", lookups.lost},
      {"late", lookups.late},
      {"source_died", lookups.source_died},
      {"control_msgs_per_node_s", report.control_msgs_per_node_s},
      {"control_by_kind", by_kind},
      {"lookup_ack_msgs_per_node_s", report.lookup_ack_msgs_per_node_s},
      {"lookup_msgs_per_node_s", report.lookup_msgs_per_node_s},
      {"stretch", report.stretch_total},
      {"stretch_ratios",
       {{"mean", report.stretch_mean}, {"p50", report.stretch_p50}, {"p99", report.stretch_p99}}},
      {"hops_mean", report.hops_mean},
      {"latency",
       {{"p50", report.latency_p50_s},
        {"p99", report.latency_p99_s},
        {"max", report.latency_max_s}}},
      {"within_10s", report.within_10s},
      {"joins", report.joins},
      {"join", {{"p50", report.join_p50_s}, {"p99", report.join_p99_s}}},
      {"deaths", report.deaths},
      {"active_mean", report.active_mean},
      {"one_ring_after", report.one_ring_after},
      {"features", report.features},
      {"virtual_s", report.virtual_s},
      {"events", report.events},
      {"wall_s", report.wall_s},
      {"peak_rss_bytes", report.peak_rss_bytes},
      {"trace_hash", hex(report.trace_hash)},
  };
}

std::string to_text(const ChurnReport& report) {
  const sim::LookupCounts& lookups = report.lookups;
  std::ostringstream text;
  text << std::setprecision(4);
  text << report.nodes << " nodes, " << report.duration_s << " s, " << report.joins << " joins, "
       << report.deaths << " deaths, " << report.active_mean << " active on average\n";
  text << "lookups   " << lookups.sent << ": incorrect " << lookups.incorrect() << " (wrong root "
       << lookups.wrong_root << ", twice " << lookups.twice << "), lost " << lookups.lost
       << " (late " << lookups.late << "), source died " << lookups.source_died << "\n";
  text << "latency   p50 " << report.latency_p50_s << " s, p99 " << report.latency_p99_s
       << " s, maximum " << report.latency_max_s << " s, " << 100 * report.within_10s
       << " % within 10 s\n";
  text << "stretch   total " << report.stretch_total << ", mean " << report.stretch_mean << ", p50 "
       << report.stretch_p50 << ", p99 " << report.stretch_p99 << "; " << report.hops_mean
       << " hops\n";
  text << "messages  control " << report.control_msgs_per_node_s << ", lookups "
       << report.lookup_msgs_per_node_s << ", their acknowledgements "
       << report.lookup_ack_msgs_per_node_s << " per node and second\n";
  for (const auto& [kind, rate] : report.control_by_kind) {
    text << "          " << kind << " " << rate << "\n";
  }
  text << "joins     p50 " << report.join_p50_s << " s, p99 " << report.join_p99_s << " s\n";
  text << "ring      " << (report.one_ring_after ? "one" : "NOT one")
       << " a minute after the last change\n";
  text << "time      " << report.virtual_s << " s virtual, " << report.wall_s << " s real, "
       << report.events << " events, " << size_text(report.peak_rss_bytes) << " at most\n";
  text << "features  ";
  for (const std::string& feature : report.features) text << feature << " ";
  text << "\ntrace     " << hex(report.trace_hash) << "\n";
  return text.str();
}

Result<sim::SessionTrace> read_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::invalid, "cannot read trace '" + path + "'");
  return sim::parse_session_trace(text.str(), path);
}

ChurnExperiment experiment_of(Reader& reader, const Options& options) {
  ChurnExperiment experiment;
  experiment.simulator = simulator_options(reader, options);
  experiment.simulator.network = network_options(reader, options);
  experiment.nodes = static_cast<std::size_t>(reader.integer("nodes", 2, kSimulatedNodesMax));
  experiment.session_mean = reader.duration("session-mean");
  experiment.duration = reader.duration("duration");
  experiment.warm_up = reader.duration("warm-up");
  experiment.lookup_rate = number(reader, options, "lookup-rate", 1e-6, 1e6);
  experiment.returning = probability(reader, options, "returning");
  experiment.graceful = probability(reader, options, "graceful");
  const bool replica = reader.choice("kind", {"consistent", "replica"}) == 1;
  experiment.lookups.kind = replica ? LookupKind::replica : LookupKind::consistent;
  experiment.lookups.replicas = replica ? static_cast<int>(reader.integer("replicas", 1, 65)) : 1;
  if (!options.text("trace").empty()) {
    Result<sim::SessionTrace> trace = read_trace(options.text("trace"));
    if (trace) {
      experiment.trace = std::move(*trace);
    } else {
      reader.note(trace.error());
    }
  }
  return experiment;
}

Result<Exit> run_churn(const Invocation& invocation) {
  Reader reader(invocation.options);
  PhaseProgress progress;
  ChurnExperiment experiment = experiment_of(reader, invocation.options);
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  if (!invocation.json) experiment.progress = std::ref(progress);
  give_up_after(invocation);

  const Result<ChurnReport> report = sim::run_churn_experiment(experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  print_findings("lookups", report->lookup_findings);
  print_findings("the ring", report->ring_findings);
  const Result<Exit> printed =
      invocation.json ? print(to_json(*report)) : print_text(to_text(*report));
  if (!printed) return printed;
  const bool holds =
      report->lookups.incorrect() == 0 && report->lookups.lost == 0 && report->one_ring_after;
  return holds ? Exit::done : Exit::violated;
}

}  // namespace

extern const Command kSimChurnCommand;
const Command kSimChurnCommand{
    .name = "sim churn",
    .summary = "Measures lookups while nodes come and go: wrong roots, losses, upkeep, stretch.",
    .details =
        "incorrect: delivered by a node that is not the closest active one at that moment, or "
        "twice; lost: not delivered for 60 s although the source lived. Ends with exit code 10 if "
        "there is any, or if the ring is not one a minute after the churn.",
    .example =
        "pastry sim churn --nodes 1000 --session-mean 30min --loss 0.01 --duration 2h "
        "--lookup-rate 0.5",
    .timeout = "0",
    .options = simulation_options(
        with_network_options(
            {{"session-mean", 0, "TIME", "mean of the exponential sessions", "30min"},
             {"trace", 0, "FILE",
              "sessions from a file: lines NODE START END (docs/experiments.md)"},
             {"returning", 0, "P", "share of the comers that were there before", "0.5"},
             {"graceful", 0, "P", "share of the sessions that end with a leave", "0"},
             {"warm-up", 0, "TIME", "virtual time with churn before counting", "10min"},
             {"duration", 0, "TIME", "virtual time that is counted", "2h"},
             {"lookup-rate", 0, "R", "lookups per second and node", "0.01"},
             {"kind", 0, "KIND", "consistent or replica", "consistent"},
             {"replicas", 0, "K", "k of replica lookups", "5"}}),
        "32"),
    .run = run_churn};

}  // namespace pastry::cli
