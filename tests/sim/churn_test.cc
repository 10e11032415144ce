// Churn and simultaneous failures as experiments, session traces, and the log of lookups.
#include "pastry/sim/experiments/churn.h"

#include <doctest/doctest.h>

#include "pastry/sim/distribution.h"
#include "pastry/sim/experiments/failures.h"
#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

ChurnExperiment small_churn() {
  ChurnExperiment experiment;
  experiment.simulator.config = Config::lan();
  experiment.simulator.config.leaf_set = 8;
  experiment.nodes = 40;
  experiment.session_mean = minutes(10);
  experiment.rest = seconds(10);
  experiment.warm_up = seconds(30);
  experiment.duration = minutes(5);
  experiment.lookup_rate = 0.2;
  return experiment;
}

}  // namespace

TEST_CASE("churn keeps the number of nodes and counts what it says") {
  const ChurnExperiment experiment = small_churn();
  const auto report = run_churn_experiment(experiment);
  REQUIRE(report.has_value());
  CHECK(report->lookups.sent == doctest::Approx(0.2 * 40 * 300).epsilon(0.01));
  CHECK(report->lookups.sent == report->lookups.delivered + report->lookups.lost +
                                    report->lookups.source_died + report->lookups.refused);
  CHECK(report->deaths > 5);
  CHECK(report->deaths < 50);
  CHECK(report->joins == report->deaths);
  CHECK(report->active_mean > 36);
  CHECK(report->active_mean <= 40);
  CHECK(report->control_msgs_per_node_s > 0);
  CHECK(report->lookup_ack_msgs_per_node_s > 0);
  CHECK(report->intervals.size() == 60);
  CHECK_MESSAGE(report->one_ring_after, report->ring_findings.text());
  const auto again = run_churn_experiment(experiment);
  REQUIRE(again.has_value());
  CHECK(again->run.trace_hash == report->run.trace_hash);
}

TEST_CASE("a replica lookup that two replicas answer is no error") {
  ChurnExperiment experiment = small_churn();
  experiment.lookups.kind = LookupKind::replica;
  experiment.lookups.replicas = 4;
  experiment.simulator.network.loss = 0.1;
  experiment.session_mean = minutes(60);
  const auto report = run_churn_experiment(experiment);
  REQUIRE(report.has_value());
  CHECK(report->lookups.repeated > 0);
  CHECK(report->lookups.twice == 0);
}

TEST_CASE("churn follows a trace of sessions") {
  ChurnExperiment experiment = small_churn();
  std::string text = "# node start end\n";
  for (int i = 0; i < 20; ++i) text += "n" + std::to_string(i) + " 0 -\n";
  text += "guest 0 60s\nguest 120s 180\nlate 1min -\n";
  auto trace = parse_session_trace(text, "sessions");
  REQUIRE(trace.has_value());
  CHECK(trace->initial() == 21);
  CHECK(trace->nodes == 22);
  experiment.trace = std::move(*trace);
  const auto report = run_churn_experiment(experiment);
  REQUIRE(report.has_value());
  CHECK(report->deaths == 2);
  CHECK(report->joins == 2);
  CHECK(report->intervals.back().active_nodes == 21);
}

TEST_CASE("a trace that makes no sense is refused with its line") {
  const auto error = [](const char* text) {
    const auto trace = parse_session_trace(text, "f");
    return trace ? std::string() : trace.error().message;
  };
  CHECK(error("a 0") == "f:1: a session is NODE START END");
  CHECK(error("a 0 -\nb x 5") == "f:2: not a time: 'x'");
  CHECK(error("a 5 5") == "f:1: the session ends before it starts");
  CHECK(error("a 5 6") == "f: no session starts at 0");
  CHECK(error("a 0 10\na 9 20") == "f: sessions of one node overlap at 9s");
  CHECK(error("# nothing\n") == "f: no sessions");
}

TEST_CASE("parameters out of range are refused") {
  ChurnExperiment experiment = small_churn();
  experiment.lookup_rate = 0;
  CHECK_FALSE(run_churn_experiment(experiment).has_value());
  experiment = small_churn();
  experiment.simulator.network.loss = 2;
  CHECK_FALSE(run_churn_experiment(experiment).has_value());
  FailuresExperiment failures;
  failures.nodes = 10;
  failures.kill = 10;
  CHECK_FALSE(run_failures_experiment(failures).has_value());
}

TEST_CASE("simultaneous failures: more hops without repair, as many as before with it") {
  FailuresExperiment experiment;
  experiment.simulator.config.leaf_set = 16;
  experiment.nodes = 300;
  experiment.kill = 60;
  experiment.lookups = 5000;
  experiment.rest = minutes(5);
  experiment.repair = minutes(10);
  const auto report = run_failures_experiment(experiment);
  REQUIRE(report.has_value());
  CHECK(report->before.counts.delivered == 5000);
  CHECK(report->repaired.counts.delivered == 5000);
  CHECK(report->before.reached_replica == 5000);
  CHECK(report->before.hops_first_replica < report->before.hops_root);
  // Those that arrive at all; to the first of five there are too few hops in so small a ring.
  CHECK(report->without_repair.counts.delivered < 5000);
  CHECK(report->without_repair.hops_root > report->before.hops_root);
  CHECK(report->without_repair.hops_root > report->repaired.hops_root + 0.02);
  CHECK(report->repaired.hops_root <= report->before.hops_root + 0.02);
  CHECK(report->messages_per_failed_node > 0);
  CHECK_MESSAGE(report->one_ring_after, report->ring_findings.text());
}

TEST_CASE("a distribution tells quantiles within one per cent") {
  Distribution distribution(1e-3, 1e3);
  CHECK(distribution.quantile(0.5) == 0);
  CHECK(distribution.share_up_to(1) == 1);
  for (int i = 1; i <= 1000; ++i) distribution.add(i * 0.01);
  CHECK(distribution.count() == 1000);
  CHECK(distribution.mean() == doctest::Approx(5.005));
  CHECK(distribution.max() == doctest::Approx(10));
  CHECK(distribution.quantile(0.5) == doctest::Approx(5).epsilon(0.011));
  CHECK(distribution.quantile(0.99) == doctest::Approx(9.9).epsilon(0.011));
  CHECK(distribution.quantile(1) == doctest::Approx(10).epsilon(0.011));
  CHECK(distribution.share_up_to(2.5) == doctest::Approx(0.25).epsilon(0.02));
}

TEST_CASE("the closest nodes are told apart from the others") {
  TestRing ring(71);
  REQUIRE(ring.grow(30));
  for (int i = 0; i < 50; ++i) {
    const Key key = ring->random().id();
    std::vector<NodeIndex> order;
    for (const auto& [id, node] : ring->active_nodes()) order.push_back(node);
    std::sort(order.begin(), order.end(),
              [&](NodeIndex a, NodeIndex b) { return closer(key, ring->id(a), ring->id(b)); });
    CHECK(closest_active(ring.simulator(), key) == order[0]);
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      CHECK(is_one_of_closest(ring.simulator(), order[rank], key, 5) == (rank < 5));
    }
  }
  const NodeIndex paused = closest_active(ring.simulator(), Key(1, 2));
  ring->pause(paused);
  CHECK(closest_active(ring.simulator(), Key(1, 2)) ==
        paused);  // nobody else while its leases last
  ring->run_for(ring->config().lease);
  CHECK(closest_active(ring.simulator(), Key(1, 2)) != paused);
  ring->resume(paused);
  ring->run_for(milliseconds(1));
  REQUIRE_FALSE(ring->node(paused).active());
  CHECK(is_one_of_closest(ring.simulator(), paused, Key(1, 2), 1));
}

}  // namespace pastry::sim
