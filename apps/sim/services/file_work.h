// What fuzzed nodes do with files and records, and what must be true of them [PAST §2; faults.md].
#pragma once

#include <string>

#include "past/past.h"
#include "pastry/core/hash.h"
#include "pastry/core/random.h"
#include "pastry/replica/replica.h"
#include "pastry/sim/fuzz/guests.h"
#include "pastry/sim/fuzz/watcher.h"
#include "pastry/sim/simulator.h"

namespace pastry::cli {

class FileWork {
 public:
  // All must outlive this; `crash_only`: no live node can look dead.
  FileWork(sim::Simulator& simulator, sim::fuzz::Watcher& watcher, const Hash& hash,
           bool crash_only)
      : simulator_(simulator), watcher_(watcher), hash_(hash), crash_only_(crash_only) {}

  void started(sim::NodeIndex node, replica::Replica& replica, past::Past& past);
  void work(sim::NodeIndex node, Random& random);
  void gone(sim::NodeIndex node);
  void excuse() { crash_only_ = false; }
  void examine();
  std::string unrest();
  void count(sim::fuzz::GuestFigures& figures) const;

 private:
  sim::Simulator& simulator_;
  sim::fuzz::Watcher& watcher_;
  const Hash& hash_;
  bool crash_only_;
};

}  // namespace pastry::cli
