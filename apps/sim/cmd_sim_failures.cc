// pastry sim failures: hops before, during and after many nodes die at once.
#include <iomanip>
#include <sstream>

#include "apps/sim/sim_common.h"
#include "pastry/sim/experiments/failures.h"

namespace pastry::cli {
namespace {

using sim::FailurePhase;
using sim::FailuresExperiment;
using sim::FailuresReport;

// [Pastry, figure 10 and §3.3]: N = 5,000, 500 killed, k = 5.
constexpr double kPublishedBefore = 2.73;
constexpr double kPublishedWithoutRepair = 2.96;
constexpr double kPublishedRepaired = 2.74;
constexpr double kPublishedCalls = 57;

nlohmann::json to_json(const FailurePhase& phase, double published) {
  return {
      {"first_replica", phase.hops_first_replica},
      {"root", phase.hops_root},
      {"published", published},
      {"lookups", phase.lookups},
      {"reached_replica", phase.reached_replica},
      {"delivered", phase.counts.delivered},
      {"lost", phase.counts.lost},
      {"incorrect", phase.counts.incorrect()},
  };
}

nlohmann::json to_json(const FailuresReport& report) {
  nlohmann::json by_kind = nlohmann::json::object();
  for (const auto& [kind, messages] : report.messages_by_kind) by_kind[kind] = messages;
  nlohmann::json json = {
      {"nodes", report.nodes},
      {"killed", report.killed},
      {"replicas", report.replicas},
      {"hops",
       {{"before", to_json(report.before, kPublishedBefore)},
        {"without_repair", to_json(report.without_repair, kPublishedWithoutRepair)},
        {"repaired", to_json(report.repaired, kPublishedRepaired)}}},
      {"messages_per_failed_node", report.messages_per_failed_node},
      {"messages_by_kind", by_kind},
      {"calls_per_failed_node", report.calls_per_failed_node},
      {"published_calls_per_failed_node", kPublishedCalls},
      {"control_msgs_per_node_s",
       {{"before", report.control_msgs_per_node_s_before},
        {"repair", report.control_msgs_per_node_s_repair}}},
      {"routing_table_fill", report.routing_table_fill},
      {"one_ring_after", report.one_ring_after},
  };
  add_run(json, report.run);
  return json;
}

std::string phase_text(const char* name, const FailurePhase& phase, double published) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3);
  text << std::left << std::setw(16) << name << phase.hops_first_replica
       << " hops to the first replica (published: " << std::setprecision(2) << published << "), "
       << std::setprecision(3) << phase.hops_root << " to the root; " << phase.counts.delivered
       << " of " << phase.lookups << " delivered in time, " << phase.counts.lost << " lost, "
       << phase.counts.incorrect() << " wrong\n";
  return text.str();
}

std::string to_text(const FailuresReport& report) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3);
  text << report.nodes << " nodes, " << report.killed << " killed at once, " << report.replicas
       << " replicas\n";
  text << phase_text("before", report.before, kPublishedBefore);
  text << phase_text("without repair", report.without_repair, kPublishedWithoutRepair);
  text << phase_text("repaired", report.repaired, kPublishedRepaired);
  text << "repair          " << std::setprecision(1) << report.calls_per_failed_node
       << " calls per failed node that repair tables (published: " << kPublishedCalls << "); "
       << report.messages_per_failed_node << " control messages more than usual in all\n";
  for (const auto& [kind, messages] : report.messages_by_kind) {
    text << "                " << kind << " " << messages << "\n";
  }
  text << std::setprecision(3) << "upkeep          " << report.control_msgs_per_node_s_before
       << " messages per node and second before, " << report.control_msgs_per_node_s_repair
       << " while repairing\n";
  text << "ring            " << (report.one_ring_after ? "one" : "NOT one") << " afterwards, "
       << std::setprecision(2) << 100 * report.routing_table_fill
       << " % of the possible table entries\n";
  return text.str() + run_text(report.run);
}

Report to_report(const FailuresReport& report, const Options& options) {
  Report page;
  page.title =
      std::to_string(report.killed) + " of " + std::to_string(report.nodes) + " nodes fail at once";
  page.command = "pastry sim failures";
  page.parameters = parameters_of(options);
  const auto hops = [&](const char* name, const FailurePhase& phase, double published) {
    page.figures.push_back(
        {std::string("Hops to the first replica, ") + name, phase.hops_first_replica, published});
    page.figures.push_back({std::string("Hops to the root, ") + name, phase.hops_root, {}});
  };
  hops("before", report.before, kPublishedBefore);
  hops("without repair", report.without_repair, kPublishedWithoutRepair);
  hops("repaired", report.repaired, kPublishedRepaired);
  page.figures.push_back({"Calls per failed node", report.calls_per_failed_node, kPublishedCalls});
  page.figures.push_back(
      {"Control messages more than usual per failed node", report.messages_per_failed_node, {}});
  Plot plot;
  plot.title = "Mean hops to the first of the replicas";
  plot.y_label = "hops";
  plot.bars = true;
  plot.labels = {"no failure", "no repair", "repaired"};
  plot.series = {{"here",
                  {{0, report.before.hops_first_replica},
                   {1, report.without_repair.hops_first_replica},
                   {2, report.repaired.hops_first_replica}}},
                 {"published",
                  {{0, kPublishedBefore}, {1, kPublishedWithoutRepair}, {2, kPublishedRepaired}}}};
  page.plots.push_back(std::move(plot));
  page.run = report.run;
  return page;
}

Result<Exit> run_failures(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  auto experiment = common_experiment<FailuresExperiment>(reader, options, 2);
  experiment.kill = static_cast<std::size_t>(reader.integer("kill", 1, kSimulatedNodesMax));
  experiment.replicas = static_cast<int>(reader.integer("replicas", 1, 65));
  experiment.lookups = static_cast<std::size_t>(reader.integer("lookups", 1, 100'000'000));
  experiment.rest = reader.duration("rest");
  experiment.repair = reader.duration("repair");
  const auto report = carry_out(invocation, reader, experiment, sim::run_failures_experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  return show(invocation,
              {to_json(*report),
               to_text(*report),
               to_report(*report, options),
               {{"lookups", report->lookup_findings}, {"the ring", report->ring_findings}},
               report->holds()});
}

}  // namespace

extern const Command kSimFailuresCommand;
const Command kSimFailuresCommand{
    .name = "sim failures",
    .summary = "Measures routing when many nodes die at once: before, unrepaired, repaired.",
    .details =
        "Hops are counted to the first node on the path that is one of the K live nodes closest "
        "to the key, and to the root. Ends with exit code 10 if a lookup reached a wrong root, or "
        "one was lost before the deaths or after the repair.",
    .example = "pastry sim failures --nodes 5000 --kill 500 --replicas 5 --leaf-set 16",
    .timeout = "0",
    .options = simulation_options(
        with_network_options({{"kill", 0, "F", "nodes that die at once", "500"},
                              {"replicas", 0, "K", "replicas of a file", "5"},
                              {"lookups", 0, "M", "lookups of random keys in each phase", "100000"},
                              {"rest", 0, "TIME",
                               "virtual time between the last join and the first lookup", "10min"},
                              {"repair", 0, "TIME", "virtual time for repair", "30min"}}),
        "16"),
    .run = run_failures};

}  // namespace pastry::cli
