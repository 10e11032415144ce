// pastry sim route: hops, stretch and roots of lookups in a quiet ring.
#include <array>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>

#include "apps/sim/sim_common.h"
#include "pastry/sim/experiments/route.h"

namespace pastry::cli {
namespace {

using sim::RouteExperiment;
using sim::RouteReport;

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
      {"join",
       {{"messages_mean", report.join_messages_mean},
        {"messages_by_kind", std::map<std::string, double>(report.join_messages_by_kind.begin(),
                                                           report.join_messages_by_kind.end())}}},
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

// [Pastry, figure 5]: N = 100,000, b = 4, l = 16, |M| = 32, on a plane.
constexpr std::array<double, 7> kPublishedHops = {0, 0.0006, 0.0156, 0.1643, 0.6449, 0.1745, 0};
constexpr std::size_t kPublishedNodes = 100'000;
constexpr double kPublishedMean = 3.977;

Report to_report(const RouteReport& report, const Options& options) {
  const bool published = report.nodes == kPublishedNodes;
  Report page;
  page.title = "Routing among " + std::to_string(report.nodes) + " nodes";
  page.command = "pastry sim route";
  page.parameters = parameters_of(options);
  const double log_nodes =
      std::log2(static_cast<double>(report.nodes)) / std::stod(options.text("digit-bits"));
  page.figures = {
      {"Mean hops", report.hops_mean},
      {"Maximum hops", static_cast<double>(report.hops_max)},
      {"log of the number of nodes to base 2^b", log_nodes},
      {"Stretch (sum of route delays over sum of direct delays)", report.stretch_total},
      {"Stretch, mean of the ratios", report.stretch_mean},
      {"Lookups at a wrong root", static_cast<double>(report.wrong_root)},
      {"Lookups lost", static_cast<double>(report.lost)},
      {"Messages per join", report.join_messages_mean},
      {"Routing table entries", report.routing_table_entries_mean},
      {"Bytes per node", static_cast<double>(report.bytes_per_node)},
  };
  page.figures[3].published = 1.4;
  page.figures[3].note = "published: between 1.3 and 1.4";
  if (published) page.figures[0].published = kPublishedMean;
  Plot hops{"Share of the lookups by hops", "hops", "share"};
  hops.bars = true;
  PlotSeries here{"here", {}};
  PlotSeries paper{"published (100,000 nodes)", {}};
  const std::size_t columns = published
                                  ? std::max(report.hops_histogram.size(), kPublishedHops.size())
                                  : report.hops_histogram.size();
  for (std::size_t i = 0; i < columns; ++i) {
    const auto count = i < report.hops_histogram.size() ? report.hops_histogram[i] : 0;
    here.points.emplace_back(
        i, static_cast<double>(count) / std::max(1.0, static_cast<double>(report.lookups)));
    paper.points.emplace_back(i, i < kPublishedHops.size() ? kPublishedHops[i] : 0);
  }
  hops.series = {here};
  if (published) hops.series.push_back(paper);
  page.plots = {hops};
  page.run.features = report.features;
  page.run.virtual_s = report.virtual_s;
  page.run.events = report.events;
  page.run.wall_s = report.wall_s;
  page.run.peak_rss_bytes = report.peak_rss_bytes;
  page.run.trace_hash = report.trace_hash;
  return page;
}

Result<Exit> run_route(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  auto experiment = common_experiment<RouteExperiment>(reader, options, 1);
  experiment.simulator.check_told = options.flag("check-told");
  experiment.lookups = static_cast<std::size_t>(reader.integer("lookups", 0, INT32_MAX));
  experiment.random_keys = reader.choice("keys", {"nodes", "random"}) == 1;
  experiment.in_flight = static_cast<double>(reader.integer("in-flight", 1, 1000)) / 100.0;
  experiment.rest = reader.duration("rest");
  const auto report = carry_out(invocation, reader, experiment, sim::run_route_experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  return show(invocation, {to_json(*report),
                           to_text(*report),
                           to_report(*report, options),
                           {{"invariants", report->findings}},
                           report->holds()});
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
        with_network_options(
            {{"lookups", 0, "M", "lookups between random nodes", "100000"},
             {"keys", 0, "KIND", "nodes (ids of live nodes) or random", "nodes"},
             {"in-flight", 0, "PERCENT", "joiners at a time, per cent of the active nodes", "25"},
             {"rest", 0, "TIME", "virtual time between joins and lookups", "60s"},
             {"check-told", 0, "",
              "check that no node knows what no message told it (N^2/8 bytes)"}}),
        "16"),
    .run = run_route};

}  // namespace pastry::cli
