// The application of fuzzed nodes: lookups of both kinds, requests, and an account of each.
#pragma once

#include <cstdint>
#include <memory>

#include "pastry/sim/fuzz/watcher.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim::fuzz {

inline constexpr ApplicationId kTalker = application_id("sim.fuzz");

class Talk {
 public:
  Talk(Simulator& simulator, Watcher& watcher) : simulator_(simulator), watcher_(watcher) {}

  // For a node that starts.
  std::unique_ptr<Application> application(NodeIndex node);

  // `count` lookups from `node`, consistent and replica, of random keys and of ids of nodes.
  // Nothing if it does not run.
  void look_up(NodeIndex node, std::uint32_t count, std::uint64_t salt);
  // `count` requests to random members of its leaf set.
  void ask_neighbours(NodeIndex node, std::uint32_t count, std::uint64_t salt);

  // From now on every lookup must be delivered.
  void demand_all() { demanded_from_ = simulator_.now(); }

  std::uint64_t lookups() const { return lookups_; }
  std::uint64_t delivered() const { return delivered_; }

 private:
  class Talker;

  bool must_succeed() const;
  Key some_key(Random& random) const;
  void ended(Handle asker, OperationId operation, const RouteOutcome& outcome);

  Simulator& simulator_;
  Watcher& watcher_;
  Time demanded_from_ = kNever;
  std::uint64_t lookups_ = 0;
  std::uint64_t delivered_ = 0;
};

}  // namespace pastry::sim::fuzz
