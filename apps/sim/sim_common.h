// What the simulations have in common: options, progress, how findings are shown.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/sim/report.h"
#include "pastry/sim/checkers.h"
#include "pastry/sim/experiments/run_figures.h"
#include "pastry/sim/simulator.h"

namespace pastry::cli {

inline constexpr std::int64_t kSimulatedNodesMax = 10'000'000;

// The options of every simulation, then those of the experiment. `leaf_set` is the default of
// --leaf-set.
std::vector<OptionSpec> simulation_options(std::vector<OptionSpec> own, std::string leaf_set);

// Reads what simulation_options() declares; errors are noted in `reader`.
sim::SimulatorOptions simulator_options(Reader& reader, const Options& options);

// The options of the network's faults, after `own`.
std::vector<OptionSpec> with_network_options(std::vector<OptionSpec> own);

// Reads what with_network_options() declares.
sim::NetworkOptions network_options(Reader& reader, const Options& options);

// A value in [min, max]; min and a noted error otherwise.
double number(Reader& reader, const Options& options, const std::string& name, double min,
              double max);

// A value in [0, 1]; 0 and a noted error otherwise.
double probability(Reader& reader, const Options& options, const std::string& name);

// A seed: a whole number that is not negative.
std::optional<std::uint64_t> parse_seed(std::string_view text);

// A bar per phase of an experiment.
class PhaseProgress {
 public:
  void operator()(std::string_view phase, std::size_t done, std::size_t total);

 private:
  std::string phase_;
  std::unique_ptr<Progress> progress_;
};

// Adds features, virtual_s, events, wall_s, peak_rss_bytes and trace_hash.
void add_run(nlohmann::json& json, const sim::RunFigures& run);
// The same as lines for people.
std::string run_text(const sim::RunFigures& run);

// 16 lower-case digits.
std::string hex(std::uint64_t value);

// Ends the process when the command's time is up: a simulation owns nothing outside of it.
void give_up_after(const Invocation& invocation, std::function<std::string()> unfinished = {});

// Reads what every experiment in a ring of at least `nodes_min` nodes has: simulator, network,
// size.
template <typename Experiment>
Experiment common_experiment(Reader& reader, const Options& options, std::int64_t nodes_min) {
  Experiment experiment;
  experiment.simulator = simulator_options(reader, options);
  experiment.simulator.network = network_options(reader, options);
  experiment.nodes =
      static_cast<std::size_t>(reader.integer("nodes", nodes_min, kSimulatedNodesMax));
  return experiment;
}

// Runs an experiment, unless `reader` noted an error in its options, with progress on stderr.
template <typename Experiment, typename ExperimentReport>
Result<ExperimentReport> carry_out(const Invocation& invocation, Reader& reader,
                                   Experiment& experiment,
                                   Result<ExperimentReport> (*run)(const Experiment&)) {
  check_report(reader, invocation.options);
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  PhaseProgress progress;
  if (!invocation.json) experiment.progress = std::ref(progress);
  give_up_after(invocation);
  return run(experiment);
}

// What an experiment has to show.
struct Exhibit {
  nlohmann::json json;
  std::string text;
  Report page;
  // What was found wrong, and what it is about; goes to stderr.
  std::vector<std::pair<std::string, sim::Findings>> findings = {};
  // Whether everything that must hold did.
  bool holds = true;
};

// Prints it and writes the page that was asked for. Returns done or violated.
Result<Exit> show(const Invocation& invocation, const Exhibit& exhibit);

}  // namespace pastry::cli
