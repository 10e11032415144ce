// What else runs on fuzzed nodes: services, and the rules that they promise. The simulator knows
// none; whoever does gives them to a run (RunOptions::guests).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "pastry/sim/fuzz/watcher.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim::fuzz {

struct Plan;

// By what: how often.
using GuestFigures = std::map<std::string, std::uint64_t>;

class Guests {
 public:
  virtual ~Guests() = default;

  // --- Before the simulation ---

  // May set what the simulator needs for them: stores, a hash.
  virtual void configure(SimulatorOptions& options) = 0;
  // Simulator and watcher live as long as the run; `crash_only`: no live node can look dead.
  virtual void begin(Simulator& simulator, Watcher& watcher, bool crash_only) = 0;
  // A node starts, perhaps again: registers their applications at it.
  virtual void install(NodeIndex node) = 0;

  // --- During it ---

  // `count` operations at a node that is up; what they are follows from `salt`.
  virtual void work(NodeIndex node, std::uint32_t count, std::uint64_t salt) = 0;
  // The node is gone, and with it what it had begun.
  virtual void gone(NodeIndex node) = 0;
  // Two rings may exist from now on: promises that need one are given up.
  virtual void excuse() = 0;

  // --- Once there is one right ring ---

  // All promises hold from now on.
  virtual void examine() = 0;
  // Called again and again after examine(): looks at what is there and, when everything has its
  // place, does the next of what shows that it can be used (reads of all that was stored).
  virtual void proceed() = 0;
  // What was missing when that was called last; empty if nothing is, and nothing under way.
  virtual std::string unrest() const = 0;
  virtual GuestFigures figures() const = 0;
};

// Those of one run; null: none.
using GuestsFactory = std::function<std::unique_ptr<Guests>(const Plan&)>;

}  // namespace pastry::sim::fuzz
