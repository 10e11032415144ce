// Carries a scenario out through a driver: the simulator, or a cluster of real processes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/sim/scenario/scenario.h"

namespace pastry::sim {

// Whether an expectation holds, and the figure or the finding for people.
struct Verdict {
  bool holds = false;
  std::string detail;
};

class ScenarioDriver {
 public:
  virtual ~ScenarioDriver() = default;

  // Since the ring was complete.
  virtual Duration now() const = 0;
  // Lets time pass, with the lookups that are asked for. Errors end the scenario.
  virtual Result<void> run_until(Duration time) = 0;
  // Does it; returns what was done in a few words. Errors: invalid (this driver cannot do it),
  // others end the scenario too.
  virtual Result<std::string> act(const Action& action) = 0;
  virtual Result<Verdict> check(const Expectation& expectation) = 0;
};

// Whether so many of the `total` nodes in question can be meant. Error: invalid.
Result<void> check_amount(const Action& action, std::size_t total);

struct StepReport {
  std::size_t line = 0;
  std::string text;
  double at_s = 0;  // when it was over
  bool expectation = false;
  bool holds = true;
  std::string detail;
};

struct ScenarioReport {
  std::string name;
  std::vector<StepReport> steps;

  std::size_t violated() const;
  bool holds() const { return violated() == 0; }
};

// Carries out every step, also after an expectation did not hold. `told` is called after each step.
// Errors: those of the driver, with file and line in front.
Result<ScenarioReport> run_scenario(const Scenario& scenario, ScenarioDriver& driver,
                                    const std::function<void(const StepReport&)>& told = {});

}  // namespace pastry::sim
