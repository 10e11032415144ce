// The host's inside: see host.h. Split over host.cc (outer shell), host_loop.cc (the turn of the
// loop) and host_nodes.cc (steps of nodes and what they cause).
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "pastry/core/node.h"
#include "pastry/core/verifier.h"
#include "pastry/wire/codec.h"
#include "pastry/zmq/host.h"
#include "pastry/zmq/inbox.h"
#include "pastry/zmq/loop.h"
#include "pastry/zmq/seeker.h"
#include "pastry/zmq/transport.h"
#include "pastry/zmq/worker.h"

namespace pastry::host {

class Host::Impl final : public TransportEvents {
 public:
  Impl(Options options, std::unique_ptr<Loop> loop);
  ~Impl() override;
  Result<void> open();

  // Of the loop (host_loop.cc).
  void run();
  void stop(bool leave);

  // Of nodes (host_nodes.cc).
  void found(std::size_t index);
  Result<void> join(std::size_t index, const std::vector<std::string>& endpoints,
                    std::span<const PeerInfo> remembered, bool was_member);
  void run_on_node(std::size_t index, ApplicationId application,
                   std::function<void(Context)> action);
  Counters counters() const;

  bool arrived(const AdmittedProcess& from, ByteView header, Payload payload) override;
  void unreachable(const HostInfo& host) override { unreachable_.push_back(host); }

  struct LocalNode {
    std::unique_ptr<Node> node;
    Handle handle = kNoHandle;
    // As of its last turn: what came in since is looked at when the turn ends.
    Time deadline = kNever;
    bool touched = false;  // has acknowledgements to flush, perhaps
    std::unique_ptr<Seeker> seeker;
  };
  // Whom on a process which local node talked to, for hints that it is gone.
  struct Contact {
    std::size_t node = 0;
    Handle peer = kNoHandle;
    friend bool operator==(const Contact&, const Contact&) = default;
  };

  Options options_;
  Directory directory_;
  InsecureLoopbackVerifier verifier_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<wire::Codec> codec_;
  std::vector<LocalNode> nodes_;
  std::unordered_map<NodeId, std::size_t> by_id_;
  HostIndex own_host_ = kNoHost;
  std::vector<std::function<void(std::size_t, const NodeEvent&)>> listeners_;
  std::unordered_set<NodeId> blocked_;  // senders

 private:
  // host_loop.cc
  void turn();
  Time next_deadline() const;
  void advance_nodes();
  void advance_seekers();
  void take_completions();
  void hand_on_hints();
  void deliver_due();
  void flush_nodes();
  void dispatch_events();
  void collect_directory();
  void shut_down();
  void watch_duration(Time started);
  Time read_clock();

  // host_nodes.cc
  template <typename Input>
  void step(std::size_t index, Input&& input);
  void carry_out(std::size_t index);
  // Takes out of the outbox what must not leave a node whose leases have run out.
  void withhold();
  void carry_out_send(std::size_t index, Send& send);
  void carry_out_storage(StorageRequest& request);
  void complete(const StorageRequest& request, ErrorCode code, const char* why);
  void deliver(std::size_t index, Handle from, Message&& message);
  void advance(std::size_t index);
  void note_contact(std::size_t index, Handle peer, HostIndex host);
  void welcomed(std::size_t index, const wire::HelloAccepted& answer, bool remembered);
  bool lost_locally();
  bool blocked(Handle from);

  std::unique_ptr<Worker> storage_;
  std::unique_ptr<Worker> digests_;
  Inbox inbox_;
  Random loss_;
  Outbox outbox_;
  wire::Frames frames_;
  std::vector<zmq_pollitem_t> items_;
  std::vector<std::size_t> touched_;
  std::deque<std::function<void()>> deferred_;  // run_on_node inside a step
  std::vector<std::pair<std::size_t, NodeEvent>> events_;
  std::vector<HostInfo> unreachable_;
  std::vector<StorageCompletion> completions_;
  std::vector<std::vector<Contact>> contacts_;  // by HostIndex
  Counters counters_;
  Time now_{};
  WallTime wall_{};
  Time next_collection_{};
  bool in_step_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> leaving_{false};
};

}  // namespace pastry::host
