// The route experiment on rings of some hundred nodes, and growth by joins.
#include "pastry/sim/experiments/route.h"

#include <doctest/doctest.h>

#include "pastry/sim/experiments/idle.h"
#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

RouteExperiment experiment(std::size_t nodes, std::uint64_t seed) {
  RouteExperiment experiment;
  experiment.nodes = nodes;
  experiment.lookups = 2000;
  experiment.simulator.seed = seed;
  experiment.simulator.config.leaf_set = 16;
  experiment.simulator.check_told = true;
  proximity::PlaneOptions plane;
  plane.seed = seed;
  experiment.simulator.topology = proximity::make_plane(plane);
  return experiment;
}

}  // namespace

TEST_CASE("rings of 200 and 1000 nodes: every lookup reaches its root in few hops") {
  for (const std::size_t nodes : {200, 1000}) {
    for (const bool random_keys : {false, true}) {
      CAPTURE(nodes);
      CAPTURE(random_keys);
      RouteExperiment asked = experiment(nodes, nodes);
      asked.random_keys = random_keys;
      const Result<RouteReport> report = run_route_experiment(asked);
      REQUIRE_MESSAGE(report, (report ? "" : report.error().message));
      CHECK(report->wrong_root == 0);
      CHECK(report->lost == 0);
      CHECK(report->duplicates == 0);
      CHECK_MESSAGE(report->findings.ok(), report->findings.text());
      CHECK(report->hops_mean > 1);
      CHECK(report->hops_mean < (nodes == 200 ? 2.1 : 2.7));
      CHECK(report->hops_max <= 4);
      CHECK(report->routing_table_fill > 0.99);
      CHECK(report->stretch_total >= 1);
      CHECK(report->stretch_total < 1.5);
    }
  }
}

TEST_CASE("impossible experiments are refused") {
  CHECK_FALSE(run_route_experiment(experiment(0, 1)));
  RouteExperiment wrong = experiment(10, 1);
  wrong.simulator.config.leaf_set = 3;
  CHECK_FALSE(run_route_experiment(wrong));
  IdleExperiment idle;
  idle.nodes = idle.nodes_first;
  CHECK_FALSE(run_idle_experiment(idle));
}

TEST_CASE("a ring of one answers its own lookups") {
  const Result<RouteReport> report = run_route_experiment(experiment(1, 1));
  REQUIRE(report);
  CHECK(report->holds());
  CHECK(report->hops_max == 0);
}

}  // namespace pastry::sim
