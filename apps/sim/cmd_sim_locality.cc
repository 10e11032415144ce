// pastry sim locality: how near to its source a lookup finds a replica.
#include <iomanip>
#include <sstream>

#include "apps/sim/sim_common.h"
#include "pastry/sim/experiments/locality.h"

namespace pastry::cli {
namespace {

using sim::LocalityExperiment;
using sim::LocalityPhase;
using sim::LocalityReport;

// [Pastry, figure 8]: N = 10,000, b = 3, l = 8, |M| = 16, k = 5.
struct Published {
  double nearest;
  double two_nearest;
};
constexpr Published kPublishedPrefix{0.68, 0.87};
constexpr Published kPublishedHeuristic{0.76, 0.92};

nlohmann::json to_json(const LocalityPhase& phase, const Published& published) {
  return {
      {"nearest", phase.nearest},
      {"two_nearest", phase.two_nearest},
      {"published", {{"nearest", published.nearest}, {"two_nearest", published.two_nearest}}},
      {"ranks", phase.ranks},
      {"hops_mean", phase.hops_mean},
      {"detour", phase.detour},
      {"reached_replica", phase.reached},
      {"delivered", phase.counts.delivered},
      {"incorrect", phase.counts.incorrect()},
  };
}

nlohmann::json to_json(const LocalityReport& report) {
  nlohmann::json json = {
      {"nodes", report.nodes},
      {"lookups", report.lookups},
      {"replicas", report.replicas},
      {"prefix", to_json(report.prefix, kPublishedPrefix)},
      {"heuristic", to_json(report.heuristic, kPublishedHeuristic)},
  };
  add_run(json, report.run);
  return json;
}

std::string phase_text(const char* name, const LocalityPhase& phase, const Published& published) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << std::left << std::setw(16) << name
       << 100 * phase.nearest << " % reach the nearest (published: " << std::setprecision(0)
       << 100 * published.nearest << " %), " << std::setprecision(1) << 100 * phase.two_nearest
       << " % one of the two nearest (" << std::setprecision(0) << 100 * published.two_nearest
       << " %)\n                " << std::setprecision(3) << phase.hops_mean
       << " hops; the way to it is " << phase.detour << " times as long as to the nearest; "
       << phase.counts.incorrect() << " wrong\n";
  return text.str();
}

std::string to_text(const LocalityReport& report) {
  std::ostringstream text;
  text << report.nodes << " nodes, " << report.lookups << " lookups each way, " << report.replicas
       << " replicas\n";
  text << phase_text("prefix routing", report.prefix, kPublishedPrefix);
  text << phase_text("replica lookup", report.heuristic, kPublishedHeuristic);
  return text.str() + run_text(report.run);
}

PlotSeries shares(const char* name, const LocalityPhase& phase) {
  PlotSeries series{name, {}};
  for (std::size_t rank = 0; rank < phase.ranks.size(); ++rank) {
    const auto reached = static_cast<double>(std::max<std::uint64_t>(1, phase.reached));
    series.points.emplace_back(rank, static_cast<double>(phase.ranks[rank]) / reached);
  }
  return series;
}

Report to_report(const LocalityReport& report, const Options& options) {
  Report page;
  page.title = "Which of " + std::to_string(report.replicas) + " replicas lookups reach";
  page.command = "pastry sim locality";
  page.parameters = parameters_of(options);
  const auto add = [&](const std::string& how, const LocalityPhase& phase,
                       const Published& published) {
    page.figures.push_back({"Reach the nearest, " + how, phase.nearest, published.nearest});
    page.figures.push_back(
        {"Reach one of the two nearest, " + how, phase.two_nearest, published.two_nearest});
    page.figures.push_back({"Hops to the one reached, " + how, phase.hops_mean, {}});
    page.figures.push_back(
        {"Delay to the one reached over that to the nearest, " + how, phase.detour, {}});
  };
  add("prefix routing", report.prefix, kPublishedPrefix);
  add("replica lookups", report.heuristic, kPublishedHeuristic);
  Plot ranks{"Replica that is reached", "replicas that are nearer", "share of the lookups"};
  ranks.bars = true;
  ranks.series = {shares("prefix routing", report.prefix),
                  shares("replica lookups", report.heuristic)};
  page.plots = {ranks};
  page.run = report.run;
  return page;
}

Result<Exit> run_locality(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  auto experiment = common_experiment<LocalityExperiment>(reader, options, 1);
  experiment.replicas = static_cast<int>(reader.integer("replicas", 1, 65));
  experiment.lookups = static_cast<std::size_t>(reader.integer("lookups", 1, 100'000'000));
  experiment.rest = reader.duration("rest");
  const auto report = carry_out(invocation, reader, experiment, sim::run_locality_experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  return show(invocation, {to_json(*report),
                           to_text(*report),
                           to_report(*report, options),
                           {{"lookups", report->lookup_findings}},
                           report->holds()});
}

std::vector<OptionSpec> options() {
  std::vector<OptionSpec> specs = simulation_options(
      with_network_options({{"replicas", 0, "K", "nodes closest to a key that have its file", "5"},
                            {"lookups", 0, "M", "lookups of random keys, each way", "100000"},
                            {"rest", 0, "TIME",
                             "virtual time between the last join and the first lookup", "10min"}}),
      "8");
  for (OptionSpec& spec : specs) {
    if (spec.name == "digit-bits") spec.default_value = "3";
    if (spec.name == "neighbourhood") spec.default_value = "16";
  }
  return specs;
}

}  // namespace

extern const Command kSimLocalityCommand;
const Command kSimLocalityCommand{
    .name = "sim locality",
    .summary = "Measures which of the replicas of a key lookups reach: the nearest, the second …",
    .details =
        "Once by prefix routing alone and once as replica lookups, which go to the nearest node "
        "when they come near the key. A lookup reaches the first node on its path that is one of "
        "the K closest to the key. The defaults are those of the published experiment. Ends with "
        "exit code 10 if a lookup was lost or delivered by another node.",
    .example = "pastry sim locality --nodes 10000 --replicas 5 --seed 1",
    .timeout = "0",
    .options = options(),
    .run = run_locality};

}  // namespace pastry::cli
