// The simulator's driver of scenarios: what ends when.
#include <doctest/doctest.h>

#include "pastry/sim/scenario/sim_driver.h"

namespace pastry::sim {

namespace {

SimulatorOptions lan() {
  SimulatorOptions options;
  options.config = Config::lan();
  options.config.leaf_set = 8;
  return options;
}

// Carries out the steps of a text; every expectation must hold.
void carry_out(SimulatorDriver& driver, const std::string& text) {
  const Result<Scenario> scenario = parse_scenario(text, "test");
  REQUIRE_MESSAGE(scenario.has_value(), scenario.error().message);
  const Result<ScenarioReport> report = run_scenario(*scenario, driver);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  for (const StepReport& step : report->steps) CHECK_MESSAGE(step.holds, step.text, step.detail);
}

bool parted(SimulatorDriver& driver) {
  Simulator& simulator = driver.simulator();
  for (std::uint32_t i = 1; i < simulator.size(); ++i) {
    if (!simulator.network().reachable(NodeIndex{0}, NodeIndex{i})) return true;
  }
  return false;
}

std::size_t count(SimulatorDriver& driver, NodeStatus status) {
  std::size_t found = 0;
  for (std::uint32_t i = 0; i < driver.simulator().size(); ++i) {
    if (driver.simulator().status(NodeIndex{i}) == status) ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("a partition ends at its own time, not at that of the one before") {
  SimulatorDriver driver(lan());
  REQUIRE(driver.grow(12));
  carry_out(driver,
            "at 1s partition 2 for 20s\n"
            "at 11s heal\n"
            "at 12s partition 3 for 20s\n"
            "at 25s wait 0s\n");
  CHECK(parted(driver));
  carry_out(driver, "at 33s wait 0s\n");
  CHECK_FALSE(parted(driver));
}

TEST_CASE("who is stopped again goes on at the later time") {
  SimulatorDriver driver(lan());
  REQUIRE(driver.grow(6));
  carry_out(driver,
            "at 1s pause all for 20s\n"
            "at 11s resume\n"
            "at 12s pause all for 20s\n"
            "at 25s wait 0s\n");
  CHECK(count(driver, NodeStatus::paused) == 6);
  carry_out(driver, "at 33s wait 0s\n");
  CHECK(count(driver, NodeStatus::paused) == 0);
}

TEST_CASE("who was restarted and killed again comes back at the later time") {
  SimulatorDriver driver(lan());
  REQUIRE(driver.grow(6));
  carry_out(driver,
            "at 1s kill all for 20s\n"
            "at 2s restart all\n"
            "at 2s expect ring within 15s\n"
            "at 18s kill all for 20s\n"
            "at 25s wait 0s\n");
  CHECK(count(driver, NodeStatus::down) == 6);
  carry_out(driver, "at 39s wait 0s\nexpect ring within 60s\n");
  CHECK(count(driver, NodeStatus::up) == 6);
}

TEST_CASE("who leaves before it became active is not waited for") {
  SimulatorDriver driver(lan());
  REQUIRE(driver.grow(4));
  carry_out(driver,
            "join 1\n"
            "after 30s expect nodes 5\n"
            "at 40s join 8\n"
            "after 1ms leave all\n"
            "expect joins p99 <= 10s\n");
}

}  // namespace pastry::sim
