// A process of V nodes with all services on them: what `pastry node` runs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/control/runtime_dir.h"
#include "apps/control/server.h"
#include "apps/service/data_dir.h"
#include "apps/service/node_stack.h"
#include "apps/service/peer_keeper.h"
#include "pastry/core/config.h"
#include "pastry/core/id.h"
#include "pastry/core/metric.h"
#include "pastry/identity/sha256.h"
#include "pastry/replica/lmdb_store.h"
#include "pastry/zmq/host.h"
#include "proximity/topology.h"

namespace pastry::service {

struct ProcessSettings {
  // Exactly one of create, seeds, or a data directory that remembers peers.
  bool create = false;
  std::vector<std::string> seeds;
  std::string listen;
  std::string advertise;
  std::string data_dir;
  std::size_t nodes = 1;
  std::optional<NodeId> id;  // of the first node, if it does not exist yet
  std::string domain;
  std::string overlay;
  Config config;
  std::shared_ptr<const Metric> metric;  // null: measured round trips
  proximity::Location location;
  // The location is where the topology, which must be a globe, places the first node.
  bool location_of_topology = false;
  std::shared_ptr<const proximity::Topology> topology;
  std::uint64_t capacity_bytes = 0;  // 0: the store's default
  std::string runtime_dir;
  std::string control;       // a further control endpoint, "tcp://127.0.0.1:PORT", or empty
  pid_t cluster = 0;         // supervisor
  Duration start_timeout{};  // zero: none. Not for nodes that were members before
};

class Process {
 public:
  // Opens everything; a failure leaves nothing behind, nor does a first start that never got ready.
  // Errors: those of Host::open, DataDir::open, LmdbStore::open, start_nodes; invalid (nothing to
  // create or join).
  static Result<std::unique_ptr<Process>> open(ProcessSettings settings);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Called on the loop when all nodes are active for the first time.
  std::function<void()> on_ready;

  // Runs until stop(); the error says why a start failed.
  Result<void> run();
  // On the loop. With `leave` gracefully.
  void stop(bool leave);

  host::Host& host() { return *host_; }
  NodeStack& stack(std::size_t index) { return *stacks_[index]; }
  std::size_t node_count() const { return stacks_.size(); }
  const ProcessSettings& settings() const { return settings_; }
  control::Server& server() { return *server_; }
  const std::vector<PeerInfo>& remembered() const { return remembered_; }

  // The node that a call's "node" names; without it an active one. Errors: invalid, unavailable.
  Result<std::size_t> choose_node(const control::Json& params);

 private:
  explicit Process(ProcessSettings settings) : settings_(std::move(settings)) {}

  Result<void> open_nodes();
  Result<void> open_control();
  void start_nodes();
  void join_rest();
  void on_join_failed(const JoinFailed& failed);
  void on_event(std::size_t node, const NodeEvent& event);
  void on_member(const Result<void>& begun);
  void announce_if_ready();
  void remember_soon();
  void remember();
  void serve_control();

  ProcessSettings settings_;
  identity::Sha256 hash_;
  ServiceOptions services_;
  std::unique_ptr<DataDir> data_;
  std::unique_ptr<replica::LmdbStore> store_;
  std::unique_ptr<host::Host> host_;
  std::vector<std::unique_ptr<NodeStack>> stacks_;
  std::unique_ptr<control::Server> server_;
  std::unique_ptr<control::Registration> registration_;
  std::unique_ptr<PeerKeeper> keeper_;
  std::vector<PeerInfo> remembered_;
  std::optional<Error> start_error_;
  std::string join_failure_;  // the last one's reason
  bool was_member_ = false;   // in an earlier life
  bool member_ = false;       // then or now, and that is on disk
  bool active_once_ = false;
  bool rest_joining_ = false;
  bool ready_ = false;
  bool remember_pending_ = false;
  bool serving_again_ = false;
};

}  // namespace pastry::service
