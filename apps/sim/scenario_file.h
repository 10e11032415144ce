// A scenario as a file on the command line: its settings become defaults of the options.
#pragma once

#include <string>

#include "apps/cli/command.h"
#include "pastry/sim/scenario/scenario_run.h"

#include <nlohmann/json.hpp>

namespace pastry::cli {

// Errors: invalid, "FILE:LINE: what is wrong" or that the file cannot be read.
Result<sim::Scenario> read_scenario(const std::string& path);

// The settings as defaults; what was given by flag, environment or file stays. Settings that the
// command has no option for are passed over.
Options with_settings(Options options, const sim::Scenario& scenario);

nlohmann::json to_json(const sim::ScenarioReport& report);
// "FILE:LINE  12.3 s  ok  text: detail"
std::string step_text(const std::string& scenario, const sim::StepReport& step);
std::string summary_text(const sim::ScenarioReport& report);

}  // namespace pastry::cli
