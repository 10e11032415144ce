#include "pastry/sim/scenario/scenario_run.h"

#include <algorithm>
#include <utility>

namespace pastry::sim {

namespace {

// How often an expectation that has time is asked for.
constexpr Duration kPoll = std::chrono::milliseconds(250);

Result<Verdict> await(const Expectation& expectation, ScenarioDriver& driver) {
  const Duration begin = driver.now();
  for (;;) {
    Result<Verdict> verdict = driver.check(expectation);
    if (!verdict || verdict->holds) return verdict;
    const Duration left = begin + expectation.within - driver.now();
    if (left <= Duration::zero()) return verdict;
    if (auto waited = driver.run_until(driver.now() + std::min(kPoll, left)); !waited) {
      return tl::unexpected(waited.error());
    }
  }
}

Result<void> carry_out(const ScenarioStep& step, ScenarioDriver& driver, StepReport& report) {
  const Duration when = std::max(step.at.value_or(Duration::zero()), driver.now() + step.after);
  if (auto waited = driver.run_until(when); !waited) return waited;
  if (const auto* expectation = std::get_if<Expectation>(&step.what)) {
    const Result<Verdict> verdict = await(*expectation, driver);
    if (!verdict) return tl::unexpected(verdict.error());
    report.expectation = true;
    report.holds = verdict->holds;
    report.detail = verdict->detail;
    return {};
  }
  const Action& action = std::get<Action>(step.what);
  if (action.kind == ActionKind::wait) return driver.run_until(driver.now() + action.time);
  const Result<std::string> done = driver.act(action);
  if (!done) return tl::unexpected(done.error());
  report.detail = *done;
  return {};
}

}  // namespace

Result<void> check_amount(const Action& action, std::size_t total) {
  if (action.amount.share || action.amount.number <= total) return {};
  const char* state = action.kind == ActionKind::restart ? " dead" : " running";
  return fail(ErrorCode::invalid, std::to_string(action.amount.number) +
                                      " nodes are too many: " + std::to_string(total) +
                                      (total == 1 ? " is" : " are") + state);
}

std::size_t ScenarioReport::violated() const {
  return static_cast<std::size_t>(std::count_if(
      steps.begin(), steps.end(), [](const StepReport& step) { return !step.holds; }));
}

Result<ScenarioReport> run_scenario(const Scenario& scenario, ScenarioDriver& driver,
                                    const std::function<void(const StepReport&)>& told) {
  ScenarioReport report;
  report.name = scenario.name;
  for (const ScenarioStep& step : scenario.steps) {
    StepReport done;
    done.line = step.line;
    done.text = step.text;
    if (auto carried_out = carry_out(step, driver, done); !carried_out) {
      Error error = carried_out.error();
      error.message = scenario.name + ":" + std::to_string(step.line) + ": " + error.message;
      return tl::unexpected(std::move(error));
    }
    done.at_s = std::chrono::duration<double>(driver.now()).count();
    if (told) told(done);
    report.steps.push_back(std::move(done));
  }
  return report;
}

}  // namespace pastry::sim
