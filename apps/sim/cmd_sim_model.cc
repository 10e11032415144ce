// pastry sim model: every order of events of a small ring, with the production node.
#include <iomanip>
#include <sstream>

#include "apps/sim/sim_common.h"
#include "pastry/sim/model/explorer.h"

namespace pastry::cli {
namespace {

using sim::model::ExplorerOptions;
using sim::model::ModelReport;
using sim::model::Scenario;

nlohmann::json to_json(const ModelReport& report) {
  nlohmann::json document = {
      {"scenario", report.scenario.name},
      {"nodes", report.scenario.nodes()},
      {"members", report.scenario.members},
      {"joiners", report.scenario.joiners},
      {"restarts", report.scenario.restarts},
      {"crashes", report.scenario.crashes},
      {"states", report.states},
      {"transitions", report.transitions},
      {"ends", report.ends},
      {"depth", report.depth},
      {"complete", report.complete},
      {"wall_s", report.wall_s},
  };
  if (!report.violation.empty()) {
    document["violation"] = report.violation;
    document["path"] = report.path;
  }
  return document;
}

std::string to_text(const ModelReport& report) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1);
  text << std::left << std::setw(44) << report.scenario.name << std::right << std::setw(12)
       << report.states << " states " << std::setw(12) << report.transitions << " steps, "
       << report.ends << " ends, depth " << report.depth << ", "
       << (report.complete ? "complete" : "not complete") << ", " << report.wall_s << " s\n";
  if (report.violation.empty()) return text.str();
  text << "violation: " << report.violation << "\n";
  for (const std::string& step : report.path) text << "  " << step << "\n";
  return text.str();
}

Result<Exit> run_model(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  ExplorerOptions explorer;
  const auto nodes = static_cast<std::size_t>(reader.integer("nodes", 2, 5));
  explorer.leaf_set = static_cast<int>(reader.integer("leaf-set", 2, 128));
  explorer.states_max = static_cast<std::uint64_t>(reader.integer("bound", 1, INT32_MAX));
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  if (explorer.leaf_set % 2 != 0) return fail(ErrorCode::invalid, "--leaf-set must be even");
  give_up_after(invocation);

  bool held = true;
  bool complete = true;
  nlohmann::json reports = nlohmann::json::array();
  for (const Scenario& scenario : sim::model::scenarios(nodes, options.flag("crash"))) {
    explorer.scenario = scenario;
    const ModelReport report = explore(explorer);
    held = held && report.violation.empty();
    complete = complete && report.complete;
    reports.push_back(to_json(report));
    if (invocation.json) continue;
    if (const Result<Exit> printed = print_text(to_text(report)); !printed) return printed;
  }
  if (invocation.json) {
    const Result<Exit> printed =
        print({{"scenarios", std::move(reports)}, {"complete", complete}, {"ok", held}});
    if (!printed) return printed;
  }
  return held ? Exit::done : Exit::violated;
}

}  // namespace

extern const Command kSimModelCommand;
const Command kSimModelCommand{
    .name = "sim model",
    .summary = "Explores every order of events of a small ring with the production node.",
    .details =
        "Joins, batches of joins, a restart and, with --crash, one crash at any moment. "
        "Asserted in every state: no key has two roots, a root is the closest active node; "
        "and everybody becomes active. Exit code 10 if not; the steps that lead there are "
        "printed.",
    .example = "pastry sim model --nodes 3 --crash",
    .timeout = "0",
    .options = {{"nodes", 'n', "N", "nodes, joiners included: 2-5", "3"},
                {"crash", 0, "", "one of the nodes may crash"},
                {"leaf-set", 'l', "L", "size of the leaf set", "4"},
                {"bound", 0, "STATES", "states of a scenario after which it gives up", "20000000"}},
    .run = run_model};

}  // namespace pastry::cli
