// What fuzzed nodes do with topics, and what must be true of them.
#pragma once

#include <string>

#include "pastry/core/random.h"
#include "pastry/sim/fuzz/guests.h"
#include "pastry/sim/fuzz/watcher.h"
#include "pastry/sim/simulator.h"
#include "scribe/scribe.h"

namespace pastry::cli {

class TopicWork {
 public:
  // Both must outlive this; `crash_only`: no live node can look dead.
  TopicWork(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, bool crash_only)
      : simulator_(simulator), watcher_(watcher), crash_only_(crash_only) {}

  // The node starts with this SCRIBE, which lives until gone().
  void started(sim::NodeIndex node, scribe::Scribe& scribe);
  // One operation of a node that is up.
  void work(sim::NodeIndex node, Random& random);
  void gone(sim::NodeIndex node);
  // Two rings may exist from now on.
  void excuse() { crash_only_ = false; }
  // The ring is right and stays so.
  void examine();
  std::string unrest();
  void count(sim::fuzz::GuestFigures& figures) const;

 private:
  sim::Simulator& simulator_;
  sim::fuzz::Watcher& watcher_;
  bool crash_only_;
};

}  // namespace pastry::cli
