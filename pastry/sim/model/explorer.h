// Explores every order of events of a small ring, and checks each state.
//
// Depth-first with a table of visited states (64-bit hashes) and sleep sets [Godefroid 1996]: two
// events at different nodes commute, so only one order of them is followed, and a state that is met
// again with a smaller sleep set is continued with the choices that slept before. This prunes
// transitions and no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pastry/core/config.h"

namespace pastry::sim::model {

// How a model begins.
struct Scenario {
  std::string name;
  std::size_t members = 1;  // a ring that is complete
  std::size_t joiners = 1;  // who join at the same moment, through all members
  std::size_t restarts =
      0;  // members that are gone unnoticed and join again, remembering the others
  std::size_t crashes = 0;  // how many nodes may crash, at any moment
  std::size_t nodes() const { return members + joiners; }
};

struct ExplorerOptions {
  Scenario scenario;
  int leaf_set = 4;
  // States after which it gives up being complete.
  std::uint64_t states_max = 20'000'000;
  // Virtual time by which everybody must be active.
  Duration horizon = std::chrono::seconds(120);
};

struct ModelReport {
  Scenario scenario;
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint64_t ends = 0;  // states in which everybody is active and the ring is right
  std::size_t depth = 0;
  bool complete = false;  // every state was seen
  double wall_s = 0;
  std::string violation;          // empty: none
  std::vector<std::string> path;  // to the violation
};

ModelReport explore(const ExplorerOptions& options);

// The scenarios of rings of `nodes` (2 … 5): every division into members and joiners, a restart,
// and the same with a crash if asked for.
std::vector<Scenario> scenarios(std::size_t nodes, bool crash);

}  // namespace pastry::sim::model
