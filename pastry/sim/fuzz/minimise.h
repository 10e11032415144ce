// Cuts a failing plan down to few nodes and actions that still break the same rule.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "pastry/sim/fuzz/plan.h"
#include "pastry/sim/fuzz/run.h"

namespace pastry::sim::fuzz {

struct MinimiseOptions {
  RunOptions run;
  // Simulations tried before the best so far is taken.
  std::size_t runs_max = 2000;
  // Runs done and actions left; may be empty.
  std::function<void(std::size_t runs, std::size_t actions)> progress;
};

struct Minimised {
  Plan plan;
  RunResult result;
  std::size_t runs = 0;
};

// `plan` must fail. Delta debugging of the actions [Zeller & Hildebrandt 2002], then of whole
// nodes, of bursts, of faults of the network and of services.
Minimised minimise(const Plan& plan, const MinimiseOptions& options);

}  // namespace pastry::sim::fuzz
