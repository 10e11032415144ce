// A deterministic discrete-event simulator that drives production nodes: virtual clock, emulated
// network, injected faults, a trace hash.
//
// Every simulated node is a process of its own: the same pastry::Node that the ZeroMQ host runs,
// with the same applications; its messages are encoded and decoded by the production codec unless
// that is switched off. All simulated hosts share one Directory, so that a peer costs its
// description once; told_handles.h checks that no node takes anything from it that no message told
// it. The same options and calls give the same trace hash under every compiler.
//
//   SimulatorOptions options;
//   options.seed = 7;
//   Simulator simulator(std::move(options));
//   const NodeIndex first = simulator.add_node();
//   simulator.found(first);
//   const NodeIndex second = simulator.add_node();
//   simulator.join(second, first);
//   simulator.run_for(seconds(5));
//
// Threads: one simulation, one thread; independent simulations may run side by side.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pastry/core/hash.h"
#include "pastry/core/metric.h"
#include "pastry/core/node.h"
#include "pastry/core/random.h"
#include "pastry/core/verifier.h"
#include "pastry/sim/blocks.h"
#include "pastry/sim/event_queue.h"
#include "pastry/sim/message_visit.h"
#include "pastry/sim/network.h"
#include "pastry/sim/process_usage.h"
#include "pastry/sim/told_handles.h"
#include "pastry/sim/trace_hash.h"
#include "pastry/wire/codec.h"

namespace pastry::sim {

class Simulator;

enum class NodeStatus : std::uint8_t {
  added,   // not started yet
  up,      // runs
  paused,  // stopped like by SIGSTOP: messages wait, timers do not fire
  down,    // crashed or left; its store and remembered peers are kept
};

// Why a message did not arrive.
enum class DropCause : std::uint8_t {
  lost,         // by the network's loss probability
  cut,          // the link or the partition
  down,         // the receiver does not run (or not at that address any more)
  overflow,     // too many messages for a paused or slow node
  unencodable,  // the codec refused to encode it: a bug of the sender
  undecodable,  // the codec refused what it had encoded: a bug of the codec
};
inline constexpr std::size_t kDropCauses = 6;
std::string_view name(DropCause cause);

// Registers the applications of a node that is about to start, with add_application(). Called at
// every start of a node, restarts included.
using ApplicationFactory = std::function<void(Simulator&, NodeIndex, Node&)>;
// The store of a node; called once per node, when it first asks for storage.
using StoreFactory = std::function<std::unique_ptr<Store>(NodeIndex)>;

struct SimulatorOptions {
  std::uint64_t seed = 1;
  Config config;
  // Null: 10 ms between any two nodes.
  std::shared_ptr<const proximity::Topology> topology;
  // What nodes take for near. With subnet each gets the address that the topology gives its place,
  // which must give some (transit-stub); with geographic a location of `locations` in turn, or
  // where the topology places it (sphere); hops needs a topology that counts routers
  // (transit-stub). round_trip: measured, or Config::metric, which then must outlive the simulator.
  MetricKind metric = MetricKind::round_trip;
  std::vector<proximity::Location> locations;
  // Faults of the network from the start; crashes, pauses, partitions and the like are calls.
  NetworkOptions network;
  // Encode and decode every message; off only for speed.
  bool encode = true;
  // Keep, per node, what it was told (told_handles.h). Costs N²/8 bytes.
  bool check_told = false;
  // Upcalls are part of the trace hash; costs about 50 bytes per application of a node.
  bool trace_upcalls = true;
  // Virtual time from a storage request to its completion.
  Duration store_delay = milliseconds(2);
  // A node listens on the same address after a restart, so that what is sent to its earlier
  // incarnation reaches it. Otherwise such messages are dropped.
  bool address_survives_restart = true;
  // Peers that a node persists over a crash.
  std::size_t remembered_peers = 32;
  // Messages that wait for a paused node before further ones are dropped.
  std::size_t paused_inbox_max = 10000;
  // Forget the descriptions of incarnations that nobody remembers, so that memory stays bounded
  // over any number of restarts. Handles that the user of the simulator keeps become invalid by it
  // (DeliveryOracle keeps some). No effect with check_told.
  bool collect_handles = false;
  Time start{std::chrono::hours(1)};
  WallTime wall_start{1700000000};
  ApplicationFactory applications;
  // Without it every storage request fails.
  StoreFactory stores;
  // Answers ComputeDigest without a store; must outlive the simulator. Null: the store is asked.
  const Hash* hash = nullptr;
};

struct SimulatorCounters {
  std::uint64_t events = 0;
  std::uint64_t messages = 0;  // sent
  std::uint64_t copies = 0;    // made of them by the network
  std::uint64_t received = 0;  // handed to a node
  std::uint64_t bytes = 0;     // encoded, payloads included; 0 without encoding
  std::array<std::uint64_t, kMessageKinds> by_kind{};
  std::array<std::uint64_t, kDropCauses> drops{};
  std::uint64_t undirected_sends = 0;  // to itself or to an invalid handle: a bug of the sender
};

// What a user of the simulator may watch. Hooks must not call back into the simulator except for
// its views and at(). Keep them short.
struct SimulatorHooks {
  std::function<void(NodeIndex, const NodeEvent&)> event;
  // A node became active or ceased to be (crash included).
  std::function<void(NodeIndex, bool active)> activity;
  // Before the application's own deliver().
  std::function<void(NodeIndex, ApplicationId, const Delivery&)> delivery;
  std::function<void(NodeIndex from, Handle to, const Message&)> send;
  std::function<void(NodeIndex from, Handle to, DropCause)> drop;
  std::function<void(NodeIndex to, Handle from, const Message&)> arrival;
  // After everything that one input of the node caused.
  std::function<void(NodeIndex)> step;
};

class Simulator {
 public:
  explicit Simulator(SimulatorOptions options);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // --- Nodes and their life ---

  // A node that is not started yet, with an id drawn from the seed or given; ids must be distinct.
  NodeIndex add_node();
  NodeIndex add_node(const NodeId& id, std::string domain = {});

  // Starts a node that is added or down. found: as the first of a ring. join: through `seeds`.
  void found(NodeIndex node);
  void join(NodeIndex node, NodeIndex seed);
  void join(NodeIndex node, std::span<const NodeIndex> seeds);
  // Starts a node that is down with the next incarnation through `seeds` and then the peers that it
  // remembered; with none of either it founds its ring again.
  void restart(NodeIndex node, std::span<const NodeIndex> seeds = {});

  // Makes a node that is down a newcomer with another id, in the same place: it remembers nothing
  // and its store is empty. Starts with join().
  void replace(NodeIndex node);
  void replace(NodeIndex node, const NodeId& id);

  // Gone without a word; what it sent is still on its way. No effect on a node that is down.
  void crash(NodeIndex node);
  // Gone with Node::leave().
  void leave(NodeIndex node);
  // Stopped like by SIGSTOP: what arrives waits until resume().
  void pause(NodeIndex node);
  // Stopped with its machine: what arrives is lost. Monotonic time goes on meanwhile.
  void suspend(NodeIndex node);
  void resume(NodeIndex node);
  // Moves the wall clock of the node by so many seconds, in addition to earlier moves. Monotonic
  // time is not touched.
  void shift_wall_clock(NodeIndex node, std::int64_t seconds);
  // Node::peer_unreachable at `node`, as a host would tell it after a refused connection.
  void tell_unreachable(NodeIndex node, NodeIndex peer);

  Network& network() { return network_; }

  // From now on only messages for which `passes` is true reach the network; the others are dropped
  // (cut). Null: all pass again.
  void set_filter(std::function<bool(const Message&)> passes) { filter_ = std::move(passes); }

  // --- Time ---

  Time now() const { return now_; }
  // Carries out the next event; false if there is none.
  bool step();
  // All events up to and including `time`; now() == time afterwards.
  void run_until(Time time);
  void run_for(Duration duration) { run_until(now_ + duration); }
  // Until condition() holds, asked after each event, or `limit`; whether it held.
  bool run_until(const std::function<bool()>& condition, Time limit);
  // Calls `action` at `time` (now, if that is past) between two events.
  void at(Time time, std::function<void()> action);

  // --- Applications and downcalls ---

  // For the ApplicationFactory: the node owns it until it goes down. False if the id is taken. The
  // delivery hook sees it only with SimulatorOptions::trace_upcalls.
  bool add_application(NodeIndex node, ApplicationId id, std::unique_ptr<Application> application);
  // One application object that serves many nodes; must outlive the simulator.
  bool add_application(NodeIndex node, ApplicationId id, Application& shared);

  // Makes downcalls in the name of an application of a node that is up: action(Context).
  template <typename Action>
  void run(NodeIndex node, ApplicationId application, Action&& action) {
    Node& target = begin_step(node);
    target.run(now_, application, outbox_, std::forward<Action>(action));
    end_step(node);
  }
  Result<OperationId> route(NodeIndex node, ApplicationId application, const Key& key,
                            Payload payload, const RouteOptions& options = {});

  // --- Views ---

  std::size_t size() const { return nodes_.size(); }
  NodeStatus status(NodeIndex node) const { return record(node).status; }
  bool running(NodeIndex node) const { return record(node).node.has_value(); }
  bool active(NodeIndex node) const { return record(node).active; }
  // Whom a running node may turn to: its tables, the dead that it remembers, and with whom it came
  // back if it is not active yet.
  std::vector<Handle> peers_known_to(NodeIndex node) const;
  // It was active once, in this life or an earlier one.
  bool was_member(NodeIndex node) const { return record(node).was_member; }
  // Only while running().
  const Node& node(NodeIndex node) const { return *record(node).node; }
  // The application object of that id on a running node, or null.
  Application* application(NodeIndex node, ApplicationId id) const;
  // Null until the node asked for storage.
  Store* store(NodeIndex node) const { return record(node).store.get(); }
  // The handle of the current (or last) incarnation.
  Handle handle(NodeIndex node) const { return record(node).handle; }
  const NodeId& id(NodeIndex node) const { return directory_.id(record(node).handle); }
  // kNoNode for a handle of no simulated node.
  NodeIndex node_of(Handle handle) const;
  const Directory& directory() const { return directory_; }
  const Config& config() const { return options_.config; }
  const SimulatorOptions& options() const { return options_; }
  // All active nodes in the order of their ids: the truth that checkers compare with.
  const std::map<NodeId, NodeIndex>& active_nodes() const { return active_; }
  const SimulatorCounters& counters() const { return counters_; }
  std::uint64_t trace_hash() const { return trace_.value(); }
  const ToldHandles* told() const { return told_.get(); }
  // Messages on their way now.
  std::size_t in_flight() const { return flights_.in_use(); }
  // Those of them that are requests and grants of leases: some are on their way at any time.
  std::size_t leases_in_flight() const { return leases_in_flight_; }
  std::size_t pending_events() const { return queue_.size(); }
  // Storage requests that are neither completed nor given up.
  std::size_t pending_storage() const { return storage_.in_use(); }
  // Gives memory back that a past peak left behind; before measuring what is in use.
  void shrink();
  // For a large simulation: what the heap of the process grows by from here on, while this
  // simulation goes on, is backed with huge pages (HugeHeap).
  void use_huge_pages();
  // The simulator's own generator, for experiments that want to follow the seed.
  Random& random() { return random_; }

  SimulatorHooks hooks;

 private:
  class TracedApplication;

  // What stands in a flight that carries no message, because it is encoded or because it is over.
  using NoMessage = Ping;

  // A message on its way: two lines of the processor's cache, because a large simulation touches
  // each when it was long forgotten.
  struct alignas(64) Flight {
    NodeIndex from = kNoNode;
    Handle sender = kNoHandle;
    NodeIndex receiver = kNoNode;
    Handle to = kNoHandle;
    Message message = NoMessage();  // without encoding
  };
  static_assert(sizeof(Flight) <= 128);

  struct Frame {  // an encoded message
    Bytes header;
    Payload payload;
    bool lease = false;
  };

  struct PendingStorage {
    NodeIndex node = kNoNode;
    Handle incarnation = kNoHandle;
    StorageRequest request;
  };

  struct Sleep {  // of a node that is down or paused
    std::vector<Handle> remembered;
    std::vector<std::uint32_t> inbox;    // slots of flights
    std::vector<std::uint32_t> storage;  // slots of storage requests
    bool deaf = false;                   // suspended: nothing is kept for it
  };

  struct InstalledApplication {
    ApplicationId id{};
    Application* given = nullptr;
    std::unique_ptr<Application> owned;  // what the node must not outlive: `given` or its tracer
  };

  using InstalledApplications = std::vector<InstalledApplication>;

  struct Record {
    std::optional<Node> node;                             // while it runs
    std::unique_ptr<InstalledApplications> applications;  // if it was given any
    std::unique_ptr<Store> store;
    std::unique_ptr<Sleep> sleep;
    Time armed = kNever;  // of the deadline event that counts
    Handle handle = kNoHandle;
    NodeStatus status = NodeStatus::added;
    bool active = false;
    bool was_member = false;  // active once, in any of its lives: kept on its disk
  };

  Record& record(NodeIndex node) { return nodes_[index(node)]; }
  const Record& record(NodeIndex node) const { return nodes_[index(node)]; }

  std::unique_ptr<const Metric> make_metric() const;
  HostInfo make_host(NodeIndex node, std::uint64_t stream, std::string domain) const;
  void assign_handle(Record& record, NodeIndex node, const PeerInfo& info);
  void start(NodeIndex node);
  void stop(NodeIndex node);
  std::vector<Handle> remembered_by(NodeIndex node);
  void collect_handles();
  void mark_flight(std::uint32_t slot);
  bool install(NodeIndex node, ApplicationId id, Application& given,
               std::unique_ptr<Application> owned);
  Node& begin_step(NodeIndex node);
  void end_step(NodeIndex node);
  void note_activity(NodeIndex node, bool active);
  void arm(NodeIndex node);

  void transmit(NodeIndex from, Send& send);
  bool pack(Send& send, std::uint32_t slot);
  bool unpack(std::uint32_t slot);
  bool is_lease(std::uint32_t slot) const;
  std::uint32_t copy_flight(std::uint32_t slot);
  void launch(std::uint32_t slot);
  void drop(NodeIndex from, Handle to, DropCause cause);
  void arrive(std::uint32_t slot);
  void receive(NodeIndex node, std::uint32_t slot);
  void request_storage(NodeIndex node, StorageRequest request);
  void complete_storage(std::uint32_t slot);
  StorageCompletion carry_out(const PendingStorage& pending);
  void fire_deadline(const Event& event);
  void carry_out(const Event& event);
  void release_flight(std::uint32_t slot);
  void shrink_flights();
  void prefetch() const;
  void prefetch_flight(const Event& event) const;
  void prefetch_record(const Event& event) const;
  void prefetch_names(const Event& event) const;
  void prefetch_peers(const Event& event) const;
  // Whom the event is for; null if for no node.
  const Record* record_of(const Event& event) const;
  const Node* node_of_event(std::size_t ahead) const;
  void trace(std::uint64_t what, NodeIndex node, std::uint64_t detail);

  SimulatorOptions options_;
  std::unique_ptr<const Metric> metric_;
  Directory directory_;
  InsecureLoopbackVerifier verifier_;
  Network network_;
  Random random_;
  std::unique_ptr<wire::Codec> codec_;
  wire::Frames frames_;  // scratch of encode
  std::unique_ptr<ToldHandles> told_;
  EventQueue queue_;
  Time now_;
  TraceHash trace_;
  SimulatorCounters counters_;
  std::optional<HugeHeap> huge_heap_;
  Outbox outbox_;
  bool stepping_ = false;

  Blocks<Record> nodes_;
  std::vector<std::uint32_t> node_of_handle_;
  std::map<NodeId, NodeIndex> active_;
  std::map<NodeIndex, std::int64_t> wall_shifts_;
  std::map<NodeIndex, std::vector<Handle>> restarted_with_;  // those that are not active yet
  std::function<bool(const Message&)> filter_;

  Pool<Flight> flights_;
  std::vector<Frame> frames_in_flight_;  // by the slots of flights; empty without encoding
  std::size_t leases_in_flight_ = 0;
  std::vector<Bytes> spare_headers_;
  Pool<PendingStorage> storage_;
  Pool<std::function<void()>> actions_;
};

}  // namespace pastry::sim
