// Scenarios on a cluster of real processes: does what a user could do with `pastry cluster …`, over
// the control protocol, on a thread beside the supervisor's.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "apps/cluster/lookup_load.h"
#include "apps/cluster/scenario_files.h"
#include "apps/control/client.h"
#include "apps/control/runtime_dir.h"
#include "pastry/sim/scenario/scenario_run.h"

namespace pastry::cluster {

class ClusterDriver final : public sim::ScenarioDriver {
 public:
  // `supervisor`: endpoint of its control socket, `pid` its process. `seed` decides which nodes are
  // chosen and which keys are looked up. Once `interrupted` says so, everything ends soon with an
  // error. Errors: unavailable.
  static Result<std::unique_ptr<ClusterDriver>> open(const std::string& supervisor, pid_t pid,
                                                     const std::string& runtime_dir,
                                                     std::uint64_t seed,
                                                     std::function<bool()> interrupted);

  Duration now() const override;
  Result<void> run_until(Duration time) override;
  Result<std::string> act(const sim::Action& action) override;
  Result<sim::Verdict> check(const sim::Expectation& expectation) override;

 private:
  using Clock = std::chrono::steady_clock;

  ClusterDriver(std::unique_ptr<control::Client> supervisor, pid_t pid, control::RuntimeDir runtime,
                std::uint64_t seed, std::function<bool()> interrupted);

  Result<std::string> carry_out(const sim::Action& action);
  Result<sim::Verdict> judge(const sim::Expectation& expectation);
  Result<control::Json> ask(const std::string& method, const control::Json& params);
  Result<std::vector<std::string>> choose(const sim::Action& action, const char* state);
  // Ids of the members in that state, in the order of the ring.
  Result<std::vector<std::string>> members(const char* state);
  // Asks a running node, one after the other until one answers.
  Result<control::Json> ask_node(const char* method);

  Result<std::string> stop_nodes(const sim::Action& action);
  Result<std::string> revive(const sim::Action& action);
  Result<std::string> join(const sim::Action& action);
  Result<std::string> resume();
  Result<std::string> partition(const sim::Action& action);
  Result<sim::Verdict> check_ring(bool healthy);
  void later(Duration delay, const char* method, control::Json params);
  Result<void> update_load();

  std::unique_ptr<control::Client> supervisor_;
  pid_t pid_;
  control::RuntimeDir runtime_;
  Clock::time_point begin_;
  std::mt19937_64 random_;
  struct Pending {
    std::string method;
    control::Json params;
  };
  std::multimap<Duration, Pending> pending_;
  std::function<bool()> interrupted_;
  LookupLoad load_;
  ScenarioFiles files_;
};

}  // namespace pastry::cluster
