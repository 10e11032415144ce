#include "apps/sim/scenario_file.h"

#include <iomanip>
#include <sstream>

#include "apps/cli/text_file.h"

namespace pastry::cli {

Result<sim::Scenario> read_scenario(const std::string& path) {
  const Result<std::string> text = read_text_file(path);
  if (!text) return tl::unexpected<Error>(text.error());
  return sim::parse_scenario(*text, path);
}

Options with_settings(Options options, const sim::Scenario& scenario) {
  for (const sim::ScenarioSetting& setting : scenario.settings) {
    options.set_default(setting.name, setting.value);
  }
  return options;
}

nlohmann::json to_json(const sim::ScenarioReport& report) {
  nlohmann::json steps = nlohmann::json::array();
  for (const sim::StepReport& step : report.steps) {
    nlohmann::json one = {
        {"line", step.line}, {"at_s", step.at_s}, {"step", step.text}, {"detail", step.detail}};
    if (step.expectation) one["holds"] = step.holds;
    steps.push_back(std::move(one));
  }
  return {{"scenario", report.name},
          {"holds", report.holds()},
          {"violated", report.violated()},
          {"steps", steps}};
}

std::string step_text(const std::string& scenario, const sim::StepReport& step) {
  std::ostringstream text;
  text << scenario << ":" << step.line << "  " << std::fixed << std::setprecision(1) << step.at_s
       << " s  ";
  if (step.expectation) text << (step.holds ? "holds  " : "VIOLATED  ");
  text << step.text;
  if (!step.detail.empty()) text << ": " << step.detail;
  text << "\n";
  return text.str();
}

std::string summary_text(const sim::ScenarioReport& report) {
  if (report.holds()) return report.name + ": everything holds\n";
  return report.name + ": " + std::to_string(report.violated()) + " expectations violated\n";
}

}  // namespace pastry::cli
