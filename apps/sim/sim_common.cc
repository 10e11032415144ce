#include "apps/sim/sim_common.h"

#include <charconv>
#include <cstdlib>
#include <iomanip>
#include <sstream>
#include <thread>

#include "apps/cli/topology.h"

namespace pastry::cli {

std::vector<OptionSpec> simulation_options(std::vector<OptionSpec> own, std::string leaf_set) {
  const std::vector<OptionSpec> common = {
      {"nodes", 'n', "N", "nodes that join", "10000"},
      {"topology", 0, "T",
       "none, uniform:DELAY, plane:SIDE, sphere:HALF, transit-stub:LINK or matrix:FILE", "plane"},
      {"seed", 's', "S", "decides everything that is random", "1"},
      {"profile", 0, "NAME", "timers: wan or lan", "wan"},
      {"digit-bits", 'b', "B", "bits per digit, 1-8", "4"},
      {"leaf-set", 'l', "L", "size of the leaf set", std::move(leaf_set)},
      {"neighbourhood", 'm', "M", "size of the neighbourhood set", "32"},
      {"no-encode", 0, "", "hand messages over without encoding them"},
  };
  own.insert(own.begin(), common.begin(), common.end());
  return own;
}

double probability(Reader& reader, const Options& options, const std::string& name) {
  const std::string text = options.text(name);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) {
    reader.note({ErrorCode::invalid, "--" + name + ": '" + text + "' is not between 0 and 1"});
  }
  return value;
}

sim::SimulatorOptions simulator_options(Reader& reader, const Options& options) {
  sim::SimulatorOptions simulator;
  simulator.config = reader.choice("profile", {"wan", "lan"}) == 0 ? Config::wan() : Config::lan();
  simulator.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, INT64_MAX));
  simulator.config.digit_bits = static_cast<int>(reader.integer("digit-bits", 1, 8));
  simulator.config.leaf_set = static_cast<int>(reader.integer("leaf-set", 2, 128));
  simulator.config.neighbourhood = static_cast<int>(reader.integer("neighbourhood", 0, 128));
  simulator.encode = !options.flag("no-encode");
  auto topology = read_topology(options.text("topology"), simulator.seed);
  if (topology) {
    simulator.topology = std::move(*topology);
  } else {
    reader.note({ErrorCode::invalid, "--topology: " + topology.error().message});
  }
  if (const Result<void> valid = simulator.config.validate(); !valid) reader.note(valid.error());
  return simulator;
}

void PhaseProgress::operator()(std::string_view phase, std::size_t done, std::size_t total) {
  if (phase != phase_) {
    progress_.reset();
    progress_ = std::make_unique<Progress>(std::string(phase), total);
    phase_ = phase;
  }
  progress_->show(done);
}

std::string hex(std::uint64_t value) {
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << value;
  return text.str();
}

void print_findings(const sim::Findings& findings) {
  if (findings.ok()) return;
  write_error("invariants violated: " + findings.text() + "\n");
}

void give_up_after(const Invocation& invocation) {
  if (invocation.timeout <= Duration::zero()) return;
  std::thread([command = invocation.command, json = invocation.json, time = invocation.timeout] {
    std::this_thread::sleep_for(time);
    std::_Exit(report(command, {ErrorCode::timed_out, "timed out"}, json));
  }).detach();
}

}  // namespace pastry::cli
