// pastry sim run: a scenario in the simulator.
#include "apps/sim/scenario_file.h"
#include "apps/sim/sim_common.h"
#include "pastry/sim/process_usage.h"
#include "pastry/sim/scenario/scenario_stage.h"
#include "pastry/sim/scenario/sim_driver.h"

namespace pastry::cli {
namespace {

nlohmann::json lookups_json(const sim::LookupLog& log) {
  const sim::LookupCounts& counts = log.counts();
  return {
      {"sent", counts.sent},
      {"delivered", counts.delivered},
      {"incorrect", counts.incorrect()},
      {"lost", counts.lost},
      {"source_died", counts.source_died},
      {"latency", {{"p50", log.latency().quantile(0.5)}, {"p99", log.latency().quantile(0.99)}}}};
}

// Sent since the ring began to grow, by kind.
nlohmann::json messages_json(const sim::SimulatorCounters& counters) {
  nlohmann::json messages = nlohmann::json::object();
  for (std::size_t kind = 0; kind < sim::kMessageKinds; ++kind) {
    const std::uint64_t count = counters.by_kind[kind];
    if (count != 0) messages[std::string(sim::message_kind(kind))] = count;
  }
  return messages;
}

Result<Exit> run_scenario_file(const Invocation& invocation) {
  const std::string& path = invocation.options.arguments().front();
  const Result<sim::Scenario> scenario = read_scenario(path);
  if (!scenario) return tl::unexpected<Error>(scenario.error());
  if (auto possible = sim::check_stage(*scenario, sim::Stage::simulator); !possible) {
    return tl::unexpected<Error>(possible.error());
  }
  const Options options = with_settings(invocation.options, *scenario);
  Reader reader(options);
  sim::SimulatorOptions simulator = simulator_options(reader, options);
  simulator.network = network_options(reader, options);
  const auto nodes = static_cast<std::size_t>(reader.integer("nodes", 1, kSimulatedNodesMax));
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  give_up_after(invocation);

  const double wall_before = sim::wall_seconds();
  sim::SimulatorDriver driver(std::move(simulator));
  if (auto grown = driver.grow(nodes); !grown) return tl::unexpected<Error>(grown.error());
  const auto told = [&](const sim::StepReport& step) {
    if (!invocation.json) write_out(step_text(path, step));
  };
  const Result<sim::ScenarioReport> report = sim::run_scenario(*scenario, driver, told);
  if (!report) return tl::unexpected<Error>(report.error());
  const sim::RunFigures run = sim::run_figures(driver.simulator(), wall_before);
  nlohmann::json json = to_json(*report);
  json["lookups"] = lookups_json(driver.lookups());
  json["messages"] = messages_json(driver.simulator().counters());
  add_run(json, run);
  const Result<Exit> printed =
      invocation.json ? print(json) : print_text(summary_text(*report) + run_text(run));
  if (!printed) return printed;
  return report->holds() ? Exit::done : Exit::violated;
}

std::vector<OptionSpec> options() {
  std::vector<OptionSpec> specs = simulation_options(with_network_options({}), "16");
  std::erase_if(specs, [](const OptionSpec& spec) { return spec.name == "report"; });
  for (OptionSpec& spec : specs) {
    if (spec.name == "nodes") spec = {"nodes", 'n', "N", "nodes of the ring at the start", "50"};
    if (spec.name == "profile") spec.default_value = "lan";
    if (spec.name == "topology") spec.default_value = "plane:20ms";
  }
  return specs;
}

}  // namespace

extern const Command kSimRunCommand;
const Command kSimRunCommand{
    .name = "sim run",
    .arguments = "SCENARIO",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Carries out a scenario in the simulator and checks what it expects.",
    .details =
        "Settings in the file (nodes, seed, profile, leaf-set, topology, …) are defaults of the "
        "options. Ends with exit code 10 if an expectation does not hold. docs/simulator.md "
        "describes the language.",
    .example = "pastry sim run tests/scenarios/r6_partition_halves.scenario --seed 3",
    .timeout = "0",
    .options = options(),
    .run = run_scenario_file};

}  // namespace pastry::cli
