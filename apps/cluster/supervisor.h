// The supervisor of a test cluster: starts node processes on this machine, watches them, kills,
// restarts and pauses them on request over its control socket, and takes everything down with it.
//
// It never routes or stores anything itself and knows of the ring only what nodes tell it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/cluster/child.h"
#include "apps/control/deadline.h"
#include "apps/control/runtime_dir.h"
#include "apps/control/server.h"
#include "apps/service/data_dir.h"

namespace pastry::cluster {

struct ClusterSettings {
  std::size_t nodes = 8;
  std::size_t hosts = 0;   // processes; 0: one per node
  std::uint64_t seed = 0;  // of the node ids; 0: random ids
  int base_port = 0;       // 0: any free ones
  std::string data_dir;    // empty: a temporary one, removed at the end
  std::string runtime_dir;
  std::vector<std::string> locations;   // of the processes in turn; none: not given
  std::vector<std::string> node_flags;  // overlay options, passed on to each node
};

class Supervisor {
 public:
  // Finds ports, makes directories and the control socket; starts nothing yet. Errors: conflict
  // (port taken, data directory in use), failed.
  static Result<std::unique_ptr<Supervisor>> open(ClusterSettings settings);
  // Kills every process that is left and removes what was temporary.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts all nodes and waits until they are active and the ring is right. Errors: failed (a node
  // ended; says why), timed_out, conflict. False: a signal asked to stop.
  Result<bool> start(const control::Deadline& deadline);
  // Serves until SIGINT, SIGTERM or stop(), then stops all nodes cleanly and answers nobody more.
  void run();
  // Makes run() return soon; from any thread.
  void stop() { stop_asked_ = true; }
  // Whether a signal asked to stop; from any thread.
  bool interrupted() const { return interrupted_; }

  // {"id","endpoint","pid"} of every node.
  control::Json nodes_json() const;
  // Until run() has ended.
  const std::string& endpoint() const { return server_->endpoints().front(); }

 private:
  using Call = std::shared_ptr<control::Call>;

  // Children that a request waits for, and what to answer then.
  struct Waiting {
    Call call;
    std::vector<std::size_t> children;
    control::Json answer;
  };

  explicit Supervisor(ClusterSettings settings);

  Result<void> prepare_directories();
  Result<void> prepare_ports();
  Result<void> write_state() const;
  Result<void> prepare_control();
  void add_methods();
  Child make_child(std::size_t index, std::size_t nodes) const;

  Result<void> launch(Child& child, bool create);
  std::vector<std::string> seeds_for(const Child& child) const;
  void step(int timeout_ms);
  void read_signals();
  void reap();
  void read_output(Child& child);
  void set_ready(Child& child);
  void died(Child& child, int status);
  void answer_waiting();
  Result<bool> until(const control::Deadline& deadline, const char* what,
                     const std::function<bool()>& done);
  bool ring_is_right();
  std::size_t live_nodes() const;
  void stop_all();

  void kill(const Call& call, const control::Json& params);
  void restart(const Call& call, const control::Json& params);
  void add(const Call& call, const control::Json& params);
  void pause(const Call& call, const control::Json& params);
  void partition(const Call& call, const control::Json& params);
  void heal(const Call& call, const control::Json& params);
  void members(const Call& call) const;
  Result<void> choose_sides(const control::Json& params);
  std::size_t side_of(const Child& child) const;
  bool cut_off(const Child& from, const Child& to) const;
  // Tells every running process whose messages to drop.
  Result<void> apply_partition();
  Result<std::vector<std::size_t>> choose(const control::Json& params, bool dead) const;
  control::Json children_json(const std::vector<std::size_t>& children) const;

  ClusterSettings settings_;
  std::unique_ptr<control::RuntimeDir> runtime_;
  std::unique_ptr<control::Server> server_;
  std::unique_ptr<control::Registration> registration_;
  std::vector<Child> children_;
  std::vector<Waiting> waiting_;
  std::string scratch_;
  std::unique_ptr<service::DataDir> data_;  // of the user's; removed again if the start fails
  int base_port_ = 0;
  int signals_ = -1;
  bool existed_ = false;  // the data directory holds an earlier cluster
  std::atomic<bool> stop_asked_ = false;
  std::atomic<bool> interrupted_ = false;
  std::map<std::size_t, std::size_t> sides_;  // of a partition: by index of the child
  bool one_way_ = false;
  bool partition_changed_ = false;  // a process came that does not know of it yet
  std::string death_;               // of a node that was not killed on purpose
  std::chrono::steady_clock::time_point last_tick_{};
};

}  // namespace pastry::cluster
