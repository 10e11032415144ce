#include "pastry/sim/experiments/locality.h"

#include <algorithm>
#include <utility>

#include "pastry/sim/process_usage.h"

namespace pastry::sim {

namespace {

constexpr std::size_t kProgressSteps = 50;
constexpr Duration kLookupGap = milliseconds(1);
// The last lookups of a phase are waited for.
constexpr Duration kSettle = seconds(10);

class LocalityRun {
 public:
  explicit LocalityRun(const LocalityExperiment& experiment)
      : experiment_(experiment),
        wall_before_(wall_seconds()),
        log_(LookupLog::Options{.first_of = experiment.replicas}),
        simulator_(log_.installed(experiment.simulator)) {
    log_.attach(simulator_);
  }

  Result<LocalityReport> run() {
    const auto grown = grow_experiment(simulator_, experiment_.nodes, experiment_.progress);
    if (!grown) return tl::unexpected(grown.error());
    simulator_.run_for(experiment_.rest);
    report_.prefix = measure("prefix routing", LookupKind::consistent);
    report_.heuristic = measure("replica lookups", LookupKind::replica);
    report_.nodes = experiment_.nodes;
    report_.lookups = experiment_.lookups;
    report_.replicas = experiment_.replicas;
    report_.run = run_figures(simulator_, wall_before_);
    return std::move(report_);
  }

 private:
  LocalityPhase measure(std::string_view name, LookupKind kind) {
    log_.restart_counts();
    log_.use(kind, kind == LookupKind::replica ? experiment_.replicas : 1);
    const std::size_t step = std::max<std::size_t>(1, experiment_.lookups / kProgressSteps);
    for (std::size_t i = 0; i < experiment_.lookups; ++i) {
      log_.send_random();
      simulator_.run_for(kLookupGap);
      log_.judge();
      if (experiment_.progress && i % step == 0) {
        experiment_.progress(name, i, experiment_.lookups);
      }
    }
    simulator_.run_for(kSettle);
    report_.lookup_findings.add(log_.findings());
    return summarise();
  }

  LocalityPhase summarise() const {
    LocalityPhase phase;
    phase.counts = log_.counts();
    phase.reached = log_.reached_first();
    phase.ranks = log_.ranks();
    phase.ranks.resize(static_cast<std::size_t>(experiment_.replicas));
    phase.hops_mean = log_.hops_to_first_mean();
    phase.detour = log_.first_detour();
    if (phase.reached == 0) return phase;
    const auto share = [&](std::uint64_t lookups) {
      return static_cast<double>(lookups) / static_cast<double>(phase.reached);
    };
    phase.nearest = share(phase.ranks[0]);
    phase.two_nearest = share(phase.ranks[0] + (phase.ranks.size() > 1 ? phase.ranks[1] : 0));
    return phase;
  }

  const LocalityExperiment& experiment_;
  double wall_before_;
  LookupLog log_;  // outlives the simulator
  Simulator simulator_;
  LocalityReport report_;
};

Result<void> validate(const LocalityExperiment& experiment) {
  if (experiment.nodes < static_cast<std::size_t>(experiment.replicas)) {
    return fail(ErrorCode::invalid, "nodes: must be at least as many as the replicas");
  }
  return validate_experiment(experiment.simulator, experiment.replicas, experiment.lookups);
}

}  // namespace

bool LocalityReport::holds() const {
  const auto all_right = [&](const LocalityPhase& phase) {
    return phase.counts.incorrect() == 0 && phase.counts.delivered == lookups &&
           phase.reached == lookups;
  };
  return all_right(prefix) && all_right(heuristic);
}

Result<LocalityReport> run_locality_experiment(const LocalityExperiment& experiment) {
  if (Result<void> valid = validate(experiment); !valid) return tl::unexpected(valid.error());
  return LocalityRun(experiment).run();
}

}  // namespace pastry::sim
