// The random simulations themselves: what a seed decides, and that the rules hold for a few.
#include <doctest/doctest.h>

#include "pastry/sim/fuzz/campaign.h"

namespace pastry::sim::fuzz {

namespace {

RunOptions short_run() {
  RunOptions options;
  options.events_min = 2000;
  return options;
}

}  // namespace

TEST_CASE("a seed decides the plan and every event") {
  const RunResult first = run(make_plan(11), short_run());
  const RunResult again = run(make_plan(11), short_run());
  const RunResult other = run(make_plan(12), short_run());
  CHECK(first.trace_hash == again.trace_hash);
  CHECK(first.events == again.events);
  CHECK(first.marks.hits == again.marks.hits);
  CHECK(first.trace_hash != other.trace_hash);
}

TEST_CASE("a plan has faults of several kinds, a valid configuration and actions in order") {
  std::size_t crash_only = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    const Plan plan = make_plan(seed);
    CHECK(plan.fault_kinds() >= 2);
    CHECK(plan.options.config.validate());
    CHECK(plan.options.network.validate());
    CHECK(std::is_sorted(plan.actions.begin(), plan.actions.end(),
                         [](const Action& a, const Action& b) { return a.at < b.at; }));
    for (const Action& action : plan.actions) {
      REQUIRE(action.node < plan.ids.size());
      REQUIRE(action.other < plan.ids.size());
    }
    crash_only += plan.crash_only() ? 1 : 0;
  }
  CHECK(crash_only > 100);
  CHECK(crash_only < 400);
}

TEST_CASE("telling what happens changes nothing") {
  RunOptions told = short_run();
  std::size_t lines = 0;
  told.narrate = [&](Duration, const std::string& line) { lines += line.empty() ? 0 : 1; };
  const RunResult loud = run(make_plan(3), told);
  CHECK(loud.trace_hash == run(make_plan(3), short_run()).trace_hash);
  CHECK(lines > loud.messages);
}

TEST_CASE("the rules hold for a few seeds, on several threads, and rare paths are counted") {
  CampaignOptions options;
  options.first = 1;
  options.last = 60;
  options.jobs = 2;
  options.events_min = 2000;
  const CampaignReport report = run_campaign(options);
  CHECK(report.seeds == 60);
  CHECK(report.fault_kinds_least >= 2);
  CHECK(report.events_least >= 2000);
  for (const FailedSeed& failure : report.failures) {
    FAIL_CHECK("seed " << failure.seed << " broke " << failure.result.violation->rule << ": "
                       << failure.result.violation->what);
  }
  // The rules of those with crashes alone are mostly examined to the end.
  CHECK(report.crash_only > 15);
  CHECK(report.excused * 2 < report.crash_only);
  CHECK(report.marks[static_cast<std::size_t>(Mark::leaf_died)] > 10);
  CHECK(report.marks[static_cast<std::size_t>(Mark::batch_of_several)] > 10);
  options.jobs = 1;
  CHECK(run_campaign(options).marks == report.marks);
}

}  // namespace pastry::sim::fuzz
