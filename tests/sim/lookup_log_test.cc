// The log of lookups: what is lost, late, refused; and experiments that must not hold by refusing.
#include "pastry/sim/lookup_log.h"

#include <doctest/doctest.h>

#include "pastry/sim/experiments/churn.h"
#include "pastry/sim/ring_builder.h"

namespace pastry::sim {

namespace {

// Two nodes; the second is stopped while a lookup of its id is on its way to it.
struct StoppedRoot {
  static constexpr NodeIndex kSource{0};
  static constexpr NodeIndex kRoot{1};

  StoppedRoot() : log({.patience = seconds(1)}), simulator(options()) {
    log.attach(simulator);
    REQUIRE(grow_ring(simulator, 2).complete);
    simulator.run_for(seconds(10));
    simulator.pause(kRoot);
    log.send(kSource, simulator.id(kRoot));
    simulator.run_for(milliseconds(100));
  }

  SimulatorOptions options() {
    SimulatorOptions options;
    options.config = Config::lan();
    options.applications = [this](Simulator& sim, NodeIndex node, Node&) {
      sim.add_application(node, LookupLog::kId, log);
    };
    return options;
  }

  LookupLog log;
  Simulator simulator;
};

}  // namespace

TEST_CASE("a lookup that comes after its patience is lost, and late") {
  StoppedRoot ring;
  ring.simulator.run_for(seconds(1));
  ring.log.judge();
  CHECK(ring.log.counts().lost == 1);
  CHECK(ring.log.counts().late == 0);
  ring.simulator.resume(StoppedRoot::kRoot);
  ring.simulator.run_for(seconds(20));
  CHECK(ring.log.counts().late == 1);
  CHECK(ring.log.counts().delivered == 0);
}

TEST_CASE("a lookup whose source died is neither lost nor late") {
  StoppedRoot ring;
  ring.simulator.crash(StoppedRoot::kSource);
  ring.simulator.run_for(seconds(1));
  ring.log.judge();
  CHECK(ring.log.counts().source_died == 1);
  ring.simulator.resume(StoppedRoot::kRoot);
  ring.simulator.run_for(seconds(20));
  CHECK(ring.log.latency().count() == 1);  // it was delivered
  CHECK(ring.log.counts().lost == 0);
  CHECK(ring.log.counts().late == 0);
  CHECK(ring.log.counts().delivered == 0);
}

TEST_CASE("lookups are at least a nanosecond and at most days apart") {
  CHECK(lookup_gap(100) == milliseconds(10));
  CHECK(lookup_gap(1e12) == Duration(1));
  CHECK(lookup_gap(1e-12) == Duration(1'000'000'000'000'000));
}

TEST_CASE("churn with more replicas than a leaf set can tell is refused") {
  ChurnExperiment experiment;
  experiment.simulator.config.leaf_set = 8;
  experiment.lookups.kind = LookupKind::replica;
  for (const int replicas : {0, 6, 65}) {
    experiment.lookups.replicas = replicas;
    const auto report = run_churn_experiment(experiment);
    REQUIRE_FALSE(report.has_value());
    CHECK(report.error().code == ErrorCode::invalid);
    CHECK(report.error().message == "replicas: must be between 1 and l/2 + 1");
  }
}

TEST_CASE("churn that delivers nothing does not hold") {
  ChurnReport report;
  report.one_ring_after = true;
  CHECK_FALSE(report.holds());
  report.lookups.delivered = 10;
  CHECK(report.holds());
  report.lookups.refused = 1;
  CHECK_FALSE(report.holds());
}

}  // namespace pastry::sim
