#include "pastry/sim/experiments/failures.h"

#include <algorithm>
#include <array>
#include <utility>

#include "pastry/sim/process_usage.h"
#include "pastry/sim/traffic.h"

namespace pastry::sim {

namespace {

constexpr std::size_t kProgressSteps = 50;
// The lookups of a phase are spread over this time, which is shorter than a failed node needs to be
// declared dead; then their last hops are waited for: without repair not for so long that the nodes
// find out, otherwise until a dead entry that is left on the way was noticed.
constexpr Duration kPhase = seconds(4);
constexpr Duration kSettleUnrepaired = seconds(2);
constexpr Duration kSettle = seconds(20);

// Whether messages of this kind tell a node other peers than those it has.
bool repairs(std::size_t kind) {
  static const std::array kinds = {Message(LeafProbe{}).index(),
                                   Message(RowRequest{}).index(),
                                   Message(RowReply{}).index(),
                                   Message(NeighbourhoodRequest{}).index(),
                                   Message(NeighbourhoodReply{}).index(),
                                   Message(Announce{}).index(),
                                   Message(Leave{}).index()};
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

class FailuresRun {
 public:
  explicit FailuresRun(const FailuresExperiment& experiment)
      : experiment_(experiment),
        wall_before_(wall_seconds()),
        log_(log_options(experiment)),
        simulator_(log_.installed(experiment.simulator)) {
    log_.attach(simulator_);
  }

  Result<FailuresReport> run() {
    const auto grown = grow_experiment(simulator_, experiment_.nodes, experiment_.progress);
    if (!grown) return tl::unexpected(grown.error());
    simulator_.run_for(experiment_.rest);
    report_.before = measure("lookups before", kSettle);
    report_.lookup_findings.add(log_.findings());
    const Traffic before(simulator_.counters());
    const Time begin = simulator_.now();
    let_pass("upkeep before");
    const Rates baseline = rates(before, begin);
    const Traffic at_death(simulator_.counters());
    const Time death = simulator_.now();
    kill();
    hold_repair();
    report_.without_repair = measure("lookups without repair", kSettleUnrepaired);
    // Losses are what this phase is there to show.
    if (report_.without_repair.counts.incorrect() > 0) {
      report_.lookup_findings.add(log_.findings());
    }
    simulator_.set_filter(nullptr);
    repair(baseline, at_death, death);
    report_.repaired = measure("lookups after repair", kSettle);
    report_.lookup_findings.add(log_.findings());
    summarise();
    return std::move(report_);
  }

 private:
  static LookupLog::Options log_options(const FailuresExperiment& experiment) {
    LookupLog::Options options;
    options.first_of = experiment.replicas;
    return options;
  }

  void progress(std::string_view phase, std::size_t done, std::size_t total) const {
    if (experiment_.progress) experiment_.progress(phase, done, total);
  }

  FailurePhase measure(std::string_view name, Duration settle) {
    log_.restart_counts();
    log_.set_patience(settle);
    const Duration gap = kPhase / static_cast<std::int64_t>(experiment_.lookups);
    const std::size_t step = std::max<std::size_t>(1, experiment_.lookups / kProgressSteps);
    for (std::size_t i = 0; i < experiment_.lookups; ++i) {
      log_.send_random();
      simulator_.run_for(gap);
      log_.judge();
      if (i % step == 0) progress(name, i, experiment_.lookups);
    }
    simulator_.run_for(settle);
    log_.judge();
    FailurePhase phase;
    phase.hops_first_replica = log_.hops_to_first_mean();
    phase.hops_root = log_.hops_mean();
    phase.reached_replica = log_.reached_first();
    phase.lookups = log_.counts().sent;
    phase.counts = log_.counts();
    return phase;
  }

  // Messages per node and second, by kind.
  using Rates = std::array<double, kMessageKinds>;

  Rates rates(const Traffic& since, Time begin) const {
    const double node_s = std::chrono::duration<double>(simulator_.now() - begin).count() *
                          static_cast<double>(simulator_.active_nodes().size());
    Rates rates{};
    for (const auto& [kind, sent] : Traffic(simulator_.counters()).control_by_index(since)) {
      rates[kind] = static_cast<double>(sent) / node_s;
    }
    return rates;
  }

  // As long as repair is given.
  void let_pass(std::string_view name) {
    for (std::size_t i = 0; i < kProgressSteps; ++i) {
      simulator_.run_for(experiment_.repair / static_cast<std::int64_t>(kProgressSteps));
      progress(name, i + 1, kProgressSteps);
    }
  }

  void kill() {
    for (std::size_t i = 0; i < experiment_.kill; ++i) {
      const NodeIndex node = random_active(simulator_);
      if (node != kNoNode) simulator_.crash(node);
    }
  }

  void hold_repair() {
    simulator_.set_filter([](const Message& message) { return !repairs(message.index()); });
  }

  void repair(const Rates& baseline, const Traffic& at_death, Time death) {
    let_pass("repair");
    const Rates during = rates(at_death, death);
    const double node_s = std::chrono::duration<double>(simulator_.now() - death).count() *
                          static_cast<double>(simulator_.active_nodes().size());
    double repair_messages = 0;
    for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
      report_.control_msgs_per_node_s_before += baseline[kind];
      report_.control_msgs_per_node_s_repair += during[kind];
      const double extra =
          (during[kind] - baseline[kind]) * node_s / static_cast<double>(experiment_.kill);
      if (extra == 0) continue;
      report_.messages_by_kind.emplace_back(message_kind(kind), extra);
      report_.messages_per_failed_node += extra;
      if (repairs(kind)) repair_messages += extra;
    }
    report_.calls_per_failed_node = std::max(0.0, repair_messages / 2);
  }

  void summarise() {
    report_.nodes = experiment_.nodes;
    report_.killed = experiment_.kill;
    report_.replicas = experiment_.replicas;
    report_.routing_table_fill = routing_table_fill(simulator_);
    report_.ring_findings = check_ring(simulator_);
    report_.one_ring_after = report_.ring_findings.ok();
    report_.run = run_figures(simulator_, wall_before_);
    report_.run.features.emplace_back("simultaneous failures");
  }

  const FailuresExperiment& experiment_;
  double wall_before_;
  LookupLog log_;  // outlives the simulator
  Simulator simulator_;
  FailuresReport report_;
};

Result<void> validate(const FailuresExperiment& experiment) {
  if (experiment.kill < 1 || experiment.kill >= experiment.nodes) {
    return fail(ErrorCode::invalid, "kill: must be at least 1 and fewer than the nodes");
  }
  if (experiment.repair < seconds(1)) {
    return fail(ErrorCode::invalid, "repair: must be at least 1 s");
  }
  return validate_experiment(experiment.simulator, experiment.replicas, experiment.lookups);
}

}  // namespace

bool FailuresReport::holds() const {
  const auto all_right = [](const FailurePhase& phase) {
    return phase.counts.incorrect() == 0 && phase.counts.delivered == phase.lookups;
  };
  return all_right(before) && all_right(repaired) && without_repair.counts.incorrect() == 0 &&
         one_ring_after;
}

Result<FailuresReport> run_failures_experiment(const FailuresExperiment& experiment) {
  if (Result<void> valid = validate(experiment); !valid) return tl::unexpected(valid.error());
  return FailuresRun(experiment).run();
}

}  // namespace pastry::sim
