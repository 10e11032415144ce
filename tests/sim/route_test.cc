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

TEST_CASE("geographic distances lead over routes as short as measured times do") {
  RouteExperiment asked = experiment(500, 5);
  proximity::SphereOptions sphere;
  sphere.seed = 5;
  asked.simulator.topology = proximity::make_sphere(sphere);
  const Result<RouteReport> measured = run_route_experiment(asked);
  REQUIRE(measured);
  asked.simulator.metric = MetricKind::geographic;
  const Result<RouteReport> geographic = run_route_experiment(asked);
  REQUIRE(geographic);
  CHECK(geographic->holds());
  CHECK(geographic->trace_hash != measured->trace_hash);
  CHECK(geographic->stretch_total < measured->stretch_total * 1.05);
}

TEST_CASE("subnets and hop counts help in a network of networks, if less than times") {
  RouteExperiment asked = experiment(500, 6);
  asked.simulator.topology = proximity::make_transit_stub({});
  // All at one place: no metric at all.
  asked.simulator.metric = MetricKind::geographic;
  asked.simulator.locations = {proximity::Location({0, 0})};
  const Result<RouteReport> blind = run_route_experiment(asked);
  REQUIRE(blind);
  CHECK(blind->holds());
  for (const MetricKind metric : {MetricKind::subnet, MetricKind::hops}) {
    asked.simulator.metric = metric;
    const Result<RouteReport> report = run_route_experiment(asked);
    REQUIRE(report);
    CHECK(report->holds());
    CHECK(report->routing_table_fill > 0.99);
    CHECK(report->stretch_total < blind->stretch_total * 0.85);
  }
}

TEST_CASE("the profile for tests holds a ring together and finds a death within a second") {
  SimulatorOptions options = TestRing::lan(7);
  options.config = Config::test();
  options.config.leaf_set = 8;
  TestRing ring(std::move(options));
  REQUIRE(ring.grow(30));
  ring->run_for(seconds(60));
  REQUIRE(ring.all_active());
  const NodeId dead = ring->id(NodeIndex{7});
  ring->crash(NodeIndex{7});
  const auto forgotten = [&] {
    for (const auto& [id, node] : ring->active_nodes()) {
      for (const Handle leaf : ring->node(node).tables().leaf_set.members()) {
        if (ring->directory().id(leaf) == dead) return false;
      }
    }
    return true;
  };
  CHECK(ring->run_until(forgotten, ring->now() + seconds(1)));
  CHECK(ring.look_up(200) == 0);
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
