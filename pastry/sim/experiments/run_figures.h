// What every experiment reports about its own run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

// The parts of the protocol that always run and the options that are on.
std::vector<std::string> features_of(const SimulatorOptions& options);

struct RunFigures {
  std::vector<std::string> features;  // what was on
  double virtual_s = 0;
  std::uint64_t events = 0;
  double wall_s = 0;
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t trace_hash = 0;
};

// At the end of a run that began when wall_seconds() was `wall_before`.
RunFigures run_figures(const Simulator& simulator, double wall_before);

}  // namespace pastry::sim
