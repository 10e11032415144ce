// The scenario language: how it is read, what its errors say, what a run reports.
#include "pastry/sim/scenario/scenario.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "pastry/sim/scenario/scenario_stage.h"
#include "pastry/sim/scenario/sim_driver.h"

namespace pastry::sim {

namespace {

std::string error_of(const std::string& text) {
  const auto scenario = parse_scenario(text, "file");
  return scenario ? "" : scenario.error().message;
}

const Action& action(const Scenario& scenario, std::size_t step) {
  return std::get<Action>(scenario.steps.at(step).what);
}

const Expectation& expectation(const Scenario& scenario, std::size_t step) {
  return std::get<Expectation>(scenario.steps.at(step).what);
}

SimulatorOptions options_for(std::uint64_t seed, int leaf_set) {
  SimulatorOptions options;
  options.seed = seed;
  options.config = Config::lan();
  options.config.leaf_set = leaf_set;
  return options;
}

// What a text expects of a small ring.
Result<ScenarioReport> run(const std::string& text, std::size_t nodes, std::uint64_t seed = 1) {
  const auto scenario = parse_scenario(text, "test");
  REQUIRE_MESSAGE(scenario.has_value(), (scenario ? "" : scenario.error().message));
  SimulatorDriver driver(options_for(seed, 8));
  REQUIRE(driver.grow(nodes).has_value());
  return run_scenario(*scenario, driver);
}

}  // namespace

TEST_CASE("a scenario is read as it is written") {
  const auto scenario = parse_scenario(
      "# comment\n"
      "nodes 20\n"
      "topology plane:20ms\n"
      "\n"
      "at 10s kill 3 adjacent   # and this\n"
      "at 1.5min after 2s pause 50% for 60s\n"
      "join 20 over 60s through one\n"
      "partition one-way for 5min\n"
      "clock 2 -24h\n"
      "store 3 of 10KiB\n"
      "lookups 100/s\n"
      "gray-links 0.1\n"
      "expect ring within 60s\n"
      "expect lookups >= 99.9%\n"
      "expect latency p99 <= 250ms\n",
      "file");
  REQUIRE(scenario.has_value());
  CHECK(scenario->settings.size() == 2);
  CHECK(scenario->settings[1].name == "topology");
  CHECK(scenario->settings[1].value == "plane:20ms");
  REQUIRE(scenario->steps.size() == 11);
  CHECK(scenario->steps[0].line == 5);
  CHECK(scenario->steps[0].at == seconds(10));
  CHECK(action(*scenario, 0).kind == ActionKind::kill);
  CHECK(action(*scenario, 0).amount.of(100) == 3);
  CHECK(action(*scenario, 0).adjacent);
  CHECK(scenario->steps[1].at == seconds(90));
  CHECK(scenario->steps[1].after == seconds(2));
  CHECK(action(*scenario, 1).amount.of(21) == 11);
  CHECK(action(*scenario, 1).time == seconds(60));
  CHECK(action(*scenario, 2).through_one);
  CHECK(action(*scenario, 3).one_way);
  CHECK(action(*scenario, 3).time == minutes(5));
  CHECK(action(*scenario, 4).shift_s == -86400);
  CHECK(action(*scenario, 5).bytes == 10240);
  CHECK(action(*scenario, 6).value == 100);
  CHECK(action(*scenario, 7).name == "gray-links");
  CHECK(expectation(*scenario, 8).within == seconds(60));
  CHECK(expectation(*scenario, 9).bound == doctest::Approx(0.999));
  CHECK(expectation(*scenario, 10).quantile == doctest::Approx(0.99));
  CHECK(expectation(*scenario, 10).bound == doctest::Approx(0.25));
}

TEST_CASE("errors name file and line and say what is wrong") {
  CHECK(error_of("") == "file: no steps");
  CHECK(error_of("\nkil 3") == "file:2: unknown step 'kil'");
  CHECK(error_of("\x1b[2J\xff") == "file:1: unknown step '?[2J?'");
  CHECK(error_of("kill 3 now") == "file:1: 'now' is too much");
  CHECK(error_of("kill") == "file:1: a number is missing");
  CHECK(error_of("kill 0") == "file:1: '0' is not between 1 and 1000000");
  CHECK(error_of("at soon kill 1") == "file:1: not a time: 'soon'");
  CHECK(error_of("at 5s") == "file:1: what shall happen then?");
  CHECK(error_of("at 5s heal\nat 4s heal") == "file:2: this is earlier than the step before");
  CHECK(error_of("heal\nnodes 5") == "file:2: settings come before the first step");
  CHECK(error_of("lookups 100") == "file:1: a rate is written like 100/s");
  CHECK(error_of("expect peace") == "file:1: nothing is known about 'peace'");
  CHECK(error_of("expect lookups >= 99") == "file:1: a share is written like 99.9%");
  CHECK(error_of("loss 2") == "file:1: out of range: '2'");
}

TEST_CASE("an expectation that does not hold is reported, and the rest goes on") {
  const auto report = run("at 1s kill 2\nexpect nodes 10\nexpect nodes 8\n", 10);
  REQUIRE(report.has_value());
  CHECK(report->violated() == 1);
  CHECK_FALSE(report->steps[1].holds);
  CHECK(report->steps[1].detail == "8 active");
  CHECK(report->steps[2].holds);
}

TEST_CASE("a step that the simulator cannot do ends the scenario with its line") {
  const auto report = run("store 3\n", 4);
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().code == ErrorCode::invalid);
  CHECK(report.error().message.starts_with("test:1: files need a cluster"));
}

TEST_CASE("what only one of both stages can do is found before anything runs") {
  const auto refused = [](const std::string& text, Stage stage) {
    const auto scenario = parse_scenario(text, "file");
    REQUIRE_MESSAGE(scenario.has_value(), (scenario ? "" : scenario.error().message));
    const auto possible = check_stage(*scenario, stage);
    return possible ? "" : possible.error().message;
  };
  for (const char* step : {"leave 1", "suspend 1", "clock 1 +1h", "block 1 pairs", "loss 0.1",
                           "join 2 into one gap", "join 2 through one", "expect joins p99 <= 1s",
                           "expect flips <= 3", "expect latency p90 <= 1s"}) {
    CHECK_MESSAGE(refused(std::string("wait 1s\n") + step, Stage::cluster).starts_with("file:2: "),
                  step);
    CHECK(refused(step, Stage::simulator).empty());
  }
  for (const char* step : {"store 3", "expect files"}) {
    CHECK(refused(step, Stage::simulator).starts_with("file:1: files need a cluster"));
    CHECK(refused(step, Stage::cluster).empty());
  }
  CHECK(refused("expect latency p50 <= 1s\nexpect latency p99 <= 1s", Stage::cluster).empty());
}

TEST_CASE("a ring of nobody does not hold, and nobody can be killed twice") {
  const auto nobody = run("kill all\nexpect ring\nexpect healthy\n", 4);
  REQUIRE(nobody.has_value());
  CHECK(nobody->violated() == 2);
  CHECK(nobody->steps[1].detail == "no node is alive");
  const auto many = run("wait 1s\nkill 5\n", 4);
  REQUIRE_FALSE(many.has_value());
  CHECK(many.error().message == "test:2: 5 nodes are too many: 4 are running");
}

TEST_CASE("an expectation waits as long as it may and no longer") {
  const auto report =
      run("at 1s kill 1 for 4s\nexpect nodes 10 within 30s\nexpect nodes 11 within 3s\n", 10);
  REQUIRE(report.has_value());
  CHECK(report->steps[1].holds);
  CHECK(report->steps[1].at_s < 15);
  CHECK_FALSE(report->steps[2].holds);
  CHECK(report->steps[2].at_s == doctest::Approx(report->steps[1].at_s + 3).epsilon(0.01));
}

TEST_CASE("lookups are sent at the rate that was asked for, and losses show") {
  const auto report =
      run("lookups 50/s\nwait 10s\nexpect lookups >= 100%\nmeasure\nloss 1\nwait 2s\nloss 0\n"
          "lookups 0/s\nexpect lookups >= 100%\n",
          10);
  REQUIRE(report.has_value());
  CHECK(report->steps[2].holds);
  CHECK(report->steps[2].detail.find("of 501 ") != std::string::npos);
}

TEST_CASE("the same scenario with the same seed is the same simulation") {
  const auto hash = [](std::uint64_t seed) {
    const auto scenario = parse_scenario(
        "lookups 20/s\nat 2s kill 3\npartition 2 for 5s\nat 20s restart all\nwait 5s\n", "test");
    SimulatorDriver driver(options_for(seed, 8));
    REQUIRE(driver.grow(12).has_value());
    REQUIRE(run_scenario(*scenario, driver).has_value());
    return driver.simulator().trace_hash();
  };
  CHECK(hash(1) == hash(1));
  CHECK(hash(1) != hash(2));
}

TEST_CASE("every scenario file can be read") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SCENARIOS)) {
    if (entry.path().extension() != ".scenario") continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const auto scenario = parse_scenario(text.str(), entry.path().filename().string());
    CHECK_MESSAGE(scenario.has_value(), (scenario ? "" : scenario.error().message));
    ++files;
  }
  CHECK(files >= 15);
}

}  // namespace pastry::sim
