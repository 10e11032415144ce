// pastry sim churn: lookups while nodes come and go.
#include <iomanip>
#include <sstream>

#include "apps/cli/text_file.h"
#include "apps/sim/sim_common.h"
#include "pastry/sim/experiments/churn.h"

namespace pastry::cli {
namespace {

using sim::ChurnExperiment;
using sim::ChurnReport;

constexpr std::size_t kTraceBytesMax = std::size_t{256} << 20;  // millions of sessions

nlohmann::json to_json(const ChurnReport& report) {
  nlohmann::json by_kind = nlohmann::json::object();
  for (const auto& [kind, rate] : report.control_by_kind) by_kind[kind] = rate;
  const sim::LookupCounts& lookups = report.lookups;
  nlohmann::json json = {
      {"nodes", report.nodes},
      {"duration_s", report.duration_s},
      {"lookups", lookups.sent},
      {"incorrect", lookups.incorrect()},
      {"wrong_root", lookups.wrong_root},
      {"twice", lookups.twice},
      {"repeated", lookups.repeated},
      {"lost", lookups.lost},
      {"late", lookups.late},
      {"source_died", lookups.source_died},
      {"refused", lookups.refused},
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
  };
  add_run(json, report.run);
  return json;
}

std::string to_text(const ChurnReport& report) {
  const sim::LookupCounts& lookups = report.lookups;
  std::ostringstream text;
  text << std::setprecision(4);
  text << report.nodes << " nodes, " << report.duration_s << " s, " << report.joins << " joins, "
       << report.deaths << " deaths, " << report.active_mean << " active on average\n";
  text << "lookups   " << lookups.sent << ": incorrect " << lookups.incorrect() << " (wrong root "
       << lookups.wrong_root << ", twice " << lookups.twice << "), repeated after the root's end "
       << lookups.repeated << ", lost " << lookups.lost << " (late " << lookups.late
       << "), source died " << lookups.source_died << ", refused " << lookups.refused << "\n";
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
  return text.str() + run_text(report.run);
}

// [MSPastry, abstract]
constexpr double kPublishedStretch = 2;
constexpr double kPublishedControl = 0.5;

Report to_report(const ChurnReport& report, const Options& options) {
  Report page;
  page.title = std::to_string(report.nodes) + " nodes that come and go";
  page.command = "pastry sim churn";
  page.parameters = parameters_of(options);
  const auto lookups = static_cast<double>(std::max<std::uint64_t>(1, report.lookups.sent));
  page.figures = {
      {"Lookups", static_cast<double>(report.lookups.sent)},
      {"Delivered by a wrong node or twice", static_cast<double>(report.lookups.incorrect())},
      {"Not delivered within 60 s", static_cast<double>(report.lookups.lost)},
      {"Share lost", static_cast<double>(report.lookups.lost) / lookups, 1.6e-5,
       "published: without network loss, 0.01 lookups/s"},
      {"Control messages per node and second", report.control_msgs_per_node_s, kPublishedControl,
       "published: below"},
      {"Acknowledgements per node and second", report.lookup_ack_msgs_per_node_s},
      {"Stretch (route delay over direct delay)", report.stretch_total, kPublishedStretch,
       "published: below"},
      {"Median latency, s", report.latency_p50_s},
      {"99th percentile, s", report.latency_p99_s},
      {"Joins", static_cast<double>(report.joins)},
      {"Deaths", static_cast<double>(report.deaths)},
  };
  Plot upkeep{"Control messages per node and second", "seconds", "messages"};
  Plot wrong{"Lookups lost or delivered wrongly so far", "seconds", "lookups"};
  PlotSeries control{"control", {}};
  PlotSeries lost{"lost", {}};
  PlotSeries incorrect{"incorrect", {}};
  for (const sim::ChurnInterval& interval : report.intervals) {
    control.points.emplace_back(interval.at_s, interval.control_msgs_per_node_s);
    lost.points.emplace_back(interval.at_s, static_cast<double>(interval.lookups.lost));
    incorrect.points.emplace_back(interval.at_s, static_cast<double>(interval.lookups.incorrect()));
  }
  upkeep.series = {control};
  wrong.series = {lost, incorrect};
  Plot kinds{"Control messages by kind", "", "per node and second"};
  kinds.bars = true;
  PlotSeries by_kind{"messages", {}};
  for (const auto& [kind, rate] : report.control_by_kind) {
    by_kind.points.emplace_back(static_cast<double>(kinds.labels.size()), rate);
    kinds.labels.push_back(kind);
  }
  kinds.series = {by_kind};
  page.plots = {upkeep, wrong, kinds};
  page.run = report.run;
  return page;
}

// A trace says itself who comes and goes.
void check_trace_alone(const Options& options, Reader& reader) {
  if (options.text("trace").empty()) return;
  for (const char* name : {"nodes", "session-mean", "returning"}) {
    if (!options.given(name)) continue;
    reader.note({ErrorCode::invalid, std::string("--trace and --") + name +
                                         " contradict each other: the trace decides it"});
  }
}

Result<sim::SessionTrace> read_trace(const std::string& path) {
  const Result<std::string> text = read_text_file(path, kTraceBytesMax);
  if (!text) return fail(ErrorCode::invalid, "--trace: " + text.error().message);
  return sim::parse_session_trace(*text, path);
}

ChurnExperiment experiment_of(Reader& reader, const Options& options) {
  auto experiment = common_experiment<ChurnExperiment>(reader, options, 2);
  experiment.session_mean = reader.duration("session-mean");
  experiment.duration = reader.duration("duration");
  experiment.warm_up = reader.duration("warm-up");
  experiment.lookup_rate = number(reader, options, "lookup-rate", 1e-6, 1e6);
  experiment.returning = probability(reader, options, "returning");
  experiment.graceful = probability(reader, options, "graceful");
  const bool replica = reader.choice("kind", {"consistent", "replica"}) == 1;
  experiment.lookups.kind = replica ? LookupKind::replica : LookupKind::consistent;
  experiment.lookups.replicas = replica ? static_cast<int>(reader.integer("replicas", 1, 65)) : 1;
  check_trace_alone(options, reader);
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
  ChurnExperiment experiment = experiment_of(reader, invocation.options);
  const auto report = carry_out(invocation, reader, experiment, sim::run_churn_experiment);
  if (!report) return tl::unexpected<Error>(report.error());
  return show(invocation,
              {to_json(*report),
               to_text(*report),
               to_report(*report, invocation.options),
               {{"lookups", report->lookup_findings}, {"the ring", report->ring_findings}},
               report->holds()});
}

}  // namespace

extern const Command kSimChurnCommand;
const Command kSimChurnCommand{
    .name = "sim churn",
    .summary = "Measures lookups while nodes come and go: wrong roots, losses, upkeep, stretch.",
    .details =
        "incorrect: delivered by a node that is not the closest active one at that moment (replica "
        "lookups: not one of the k closest), or again while the first root lives; lost: not "
        "delivered for 60 s although the source lived; refused: the source did not send it. Ends "
        "with exit code 10 if there is any or nothing was delivered, or if the "
        "ring is not one a minute after the churn.",
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
