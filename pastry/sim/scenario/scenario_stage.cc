#include "pastry/sim/scenario/scenario_stage.h"

#include <string>

namespace pastry::sim {

namespace {

constexpr const char* kOnlySimulator =
    "a cluster cannot do this, only the simulator: pastry sim run";
constexpr const char* kOnlyCluster = "files need a cluster of real processes: pastry cluster --run";

// Why it cannot be done there, or nothing.
const char* refused_by_cluster(const Action& action) {
  switch (action.kind) {
    case ActionKind::leave:
    case ActionKind::suspend:
    case ActionKind::clock:
    case ActionKind::block:
    case ActionKind::network:
      return kOnlySimulator;
    case ActionKind::join:
      return action.into_one_gap || action.through_one ? kOnlySimulator : nullptr;
    default:
      return nullptr;
  }
}

const char* refused_by_cluster(const Expectation& expectation) {
  switch (expectation.kind) {
    case ExpectKind::joins:
    case ExpectKind::flips:
      return kOnlySimulator;
    case ExpectKind::latency:
      return expectation.quantile == 0.5 || expectation.quantile == 0.99
                 ? nullptr
                 : "a cluster knows only p50 and p99; others: pastry sim run";
    default:
      return nullptr;
  }
}

const char* refused_by_simulator(const Action& action) {
  return action.kind == ActionKind::store ? kOnlyCluster : nullptr;
}

const char* refused_by_simulator(const Expectation& expectation) {
  return expectation.kind == ExpectKind::files ? kOnlyCluster : nullptr;
}

}  // namespace

Result<void> check_stage(const Scenario& scenario, Stage stage) {
  for (const ScenarioStep& step : scenario.steps) {
    const char* refused = std::visit(
        [&](const auto& what) {
          return stage == Stage::cluster ? refused_by_cluster(what) : refused_by_simulator(what);
        },
        step.what);
    if (refused == nullptr) continue;
    return fail(ErrorCode::invalid,
                scenario.name + ":" + std::to_string(step.line) + ": " + refused);
  }
  return {};
}

}  // namespace pastry::sim
