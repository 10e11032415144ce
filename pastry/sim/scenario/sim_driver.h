// Scenarios in the simulator: a ring of production nodes under a virtual clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pastry/sim/distribution.h"
#include "pastry/sim/lookup_log.h"
#include "pastry/sim/scenario/flip_counter.h"
#include "pastry/sim/scenario/scenario_run.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

class SimulatorDriver final : public ScenarioDriver {
 public:
  // Nothing runs yet. `options` as for Simulator; their applications are installed beside the
  // driver's own.
  explicit SimulatorDriver(SimulatorOptions options);

  // Grows the ring and lets it rest for a few heartbeats; time 0 comes after that. Errors: failed.
  Result<void> grow(std::size_t nodes);

  Duration now() const override { return simulator_.now() - begin_; }
  Result<void> run_until(Duration time) override;
  Result<std::string> act(const Action& action) override;
  Result<Verdict> check(const Expectation& expectation) override;

  Simulator& simulator() { return simulator_; }
  const LookupLog& lookups() const { return log_; }

 private:
  SimulatorOptions with_applications(SimulatorOptions options);
  void watch_joins();

  std::vector<NodeIndex> choose(const Action& action, std::vector<NodeIndex> candidates);
  std::vector<NodeIndex> with_status(NodeStatus status) const;
  std::optional<NodeIndex> any_active();
  // Whether there are as many nodes as the action names.
  Result<void> check_targets(const Action& action) const;

  std::string kill(const Action& action);
  std::string leave(const Action& action);
  std::string restart(const Action& action);
  std::string join(const Action& action);
  std::string pause(const Action& action);
  std::string resume();
  std::string shift_clocks(const Action& action);
  std::string partition(const Action& action);
  std::string heal();
  std::string block(const Action& action);
  Result<std::string> change_network(const Action& action);
  std::string measure();

  void start(NodeIndex node, std::optional<NodeIndex> seed);
  // Calls `action` after the time of a `for`, unless something else became of the node meanwhile.
  void after_fate(NodeIndex node, Duration time, std::function<void()> action);
  NodeIndex add_into_gap(const NodeId& from, const NodeId& to, std::size_t number,
                         std::size_t total);
  void settle();
  Verdict check_lookups(double least);
  Verdict check_quantile(const Distribution& times, double quantile, double most) const;

  LookupLog log_;
  FlipCounter flips_;
  Simulator simulator_;
  Time begin_;
  double lookup_rate_ = 0;  // per second, all nodes together
  Time next_lookup_ = kNever;
  std::map<NodeIndex, Time> joining_;
  std::map<NodeIndex, std::uint64_t> fates_;  // how often a step killed, stopped, … the node
  std::uint64_t partitions_ = 0;
  Distribution join_times_;
};

}  // namespace pastry::sim
