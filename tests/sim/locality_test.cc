// The experiment `sim locality` on a small ring.
#include "pastry/sim/experiments/locality.h"

#include <doctest/doctest.h>

#include <numeric>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

LocalityExperiment small_locality() {
  LocalityExperiment experiment;
  experiment.simulator.config.digit_bits = 3;
  experiment.simulator.config.leaf_set = 8;
  experiment.simulator.config.neighbourhood = 16;
  experiment.simulator.topology = proximity::make_plane({});
  experiment.nodes = 1000;
  experiment.lookups = 4000;
  return experiment;
}

}  // namespace

TEST_CASE("replica lookups find a nearer replica than prefix routing does") {
  const auto report = run_locality_experiment(small_locality());
  REQUIRE(report.has_value());
  CHECK_MESSAGE(report->holds(), report->lookup_findings.text());
  for (const LocalityPhase& phase : {report->prefix, report->heuristic}) {
    CHECK(std::accumulate(phase.ranks.begin(), phase.ranks.end(), std::uint64_t{0}) == 4000);
    CHECK(phase.nearest < phase.two_nearest);
    CHECK(phase.two_nearest < 1);
    CHECK(phase.detour > 1);
  }
  // By chance a fifth would reach the nearest.
  CHECK(report->prefix.nearest > 0.2);
  CHECK(report->heuristic.nearest > report->prefix.nearest);
  CHECK(report->heuristic.detour < report->prefix.detour);
}

TEST_CASE("locality refuses more replicas than a leaf set knows") {
  LocalityExperiment experiment = small_locality();
  experiment.replicas = 6;
  const auto report = run_locality_experiment(experiment);
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().code == ErrorCode::invalid);
}

}  // namespace pastry::sim
