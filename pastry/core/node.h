// A Pastry node: a deterministic state machine without clock, socket, thread or file.
//
// Inputs carry the current time; what they cause is appended to an Outbox that the caller (the
// ZeroMQ host, the simulator, a test) carries out. Not callbacks, because a host can then batch, a
// simulator can reorder, and no step can re-enter another. Time never goes backwards between
// inputs.
//
// Life: created → found() or join() → active (NodeActivated) → leave() or dropped by its host.
// Threads: one at a time. Ownership: the node keeps references to the directory and the
// applications, which must outlive it; messages are values.
//
// Sources: [Pastry], [MSPastry], and the join in batches per gap (docs/routing.md lists every
// difference from the papers).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pastry/core/application.h"
#include "pastry/core/config.h"
#include "pastry/core/directory.h"
#include "pastry/core/message.h"
#include "pastry/core/outbox.h"
#include "pastry/core/routing.h"
#include "pastry/core/step.h"
#include "pastry/core/timestamp.h"

namespace pastry {

struct NodeState;

// Counters since the node was made; monotonic.
struct NodeCounters {
  std::uint64_t forwarded = 0;      // routed messages passed on
  std::uint64_t delivered = 0;      // routed messages delivered here
  std::uint64_t duplicates = 0;     // retransmitted copies dropped at the root
  std::uint64_t retransmitted = 0;  // hops repeated to the same or another node
  std::uint64_t dropped = 0;        // messages given up
  std::uint64_t refused = 0;        // inputs refused (malformed, impossible, over a bound)
};

// What a node keeps at the moment beyond its tables; all work is zero when it is at rest.
struct NodeLoad {
  std::size_t unacknowledged = 0;   // messages that wait for a hop's acknowledgement
  std::size_t kept = 0;             // messages that wait here for a root
  std::size_t copies = 0;           // of messages that wait for one at the next hop
  std::size_t operations = 0;       // outcomes and answers that applications wait for
  std::size_t timers = 0;           // of applications: no work by themselves, some never end
  std::size_t probes = 0;           // peers asked whether they live
  std::size_t suspects = 0;         // silent peers, excluded from routing
  std::size_t remembered_dead = 0;  // tried now and then; no work by itself
  std::size_t joiners = 0;          // waiting for, or being admitted to, the gap of this node
  std::size_t reserved = 0;  // joiners for which the left neighbour reserved this node's side
  bool joining = false;      // not active yet

  bool at_rest() const {
    return unacknowledged + kept + copies + operations + probes + suspects + joiners + reserved ==
               0 &&
           !joining;
  }
};

class Node {
 public:
  // `config` must be valid (Config::validate) and, like `directory`, outlive the node: all nodes of
  // a host share them. `self` is the node's own handle in the directory. `seed` makes its random
  // choices reproducible.
  Node(const Config& config, Directory& directory, Handle self, std::uint64_t seed);
  ~Node();
  // An independent node in the same state, for checkers that try several continuations. It shares
  // directory, configuration and applications with `other`.
  explicit Node(const Node& other);
  Node& operator=(const Node&) = delete;

  // Makes `application` known under `id`; before found()/join(). It must outlive the node. False if
  // the id is taken.
  bool add_application(ApplicationId id, Application& application);

  // --- Inputs ---

  // Becomes the first node of a new ring, active at once.
  void found(Time now, Outbox& out);

  // Joins through any of `seeds` (at least one, not self). With several: bootstrap and remembered
  // peers, tried in order and again, with back-off, until one helps. `remembered`: this node was a
  // member before (its persisted peers); if none of the seeds is active and answers, members that
  // all went down find each other and re-form the ring deterministically. A node that is active and
  // alone, because nobody answered in time, looks for its place in the ring of the seeds.
  void join(Time now, std::span<const Handle> seeds, bool remembered, Outbox& out);

  // Leaves gracefully: tells leaf set, routing table and neighbourhood. The node is inactive
  // afterwards and ignores further inputs.
  void leave(Time now, Outbox& out);

  // A message from `from`, whose identity the host has established.
  void receive(Time now, Handle from, Message&& message, Outbox& out);

  // The host knows that `peer` is gone (connection refused after it was up, process exited). A hint
  // that starts probing; never taken as death.
  void peer_unreachable(Time now, Handle peer, Outbox& out);

  // Completion of a StorageRequest of this node.
  void storage_completed(Time now, StorageCompletion completion, Outbox& out);

  // Runs every timer that is due.
  void advance(Time now, Outbox& out);
  // When advance() is wanted next; kNever if nothing is pending.
  Time next_deadline() const;

  // Sends the acknowledgements that receive() gathered; call after each input or batch of inputs.
  void flush(Time now, Outbox& out);

  // Calls `action(Context)` in the name of `application`: how users of a node make downcalls.
  template <typename Action>
  void run(Time now, ApplicationId application, Outbox& out, Action&& action);

  // Wall time for history; the host sets it before a step.
  void set_wall_time(WallTime wall);

  // --- Views ---

  Handle self() const;
  const NodeId& id() const;
  // As of the last input; leases may have run out since.
  bool active() const;
  // Active, and its leases from both neighbours are valid at `now`.
  bool holds_leases(Time now) const;
  // Whether it would deliver a consistent message with this key at `now`.
  bool would_deliver(const Key& key, Time now) const;
  // Founded alone, or every known peer is dead.
  bool alone() const;
  const Tables& tables() const;
  const Directory& directory() const;
  const Config& config() const;
  const NodeCounters& counters() const;
  // Whether a consistent message with this key would be delivered here if it came now.
  bool delivers(const Key& key) const;
  NodeLoad load() const;
  bool suspects(Handle peer) const;
  // Peers worth remembering over a restart: leaf set first, then nearest; at most `count`.
  std::vector<Handle> peers_to_remember(std::size_t count) const;
  // For a host of very many nodes: brings the node, then its tables and what is under way, then
  // what these refer to into the processor's cache before an input for it is due. Each looks at
  // what the one before it fetched. No effect otherwise.
  void prefetch() const;
  void prefetch_tables() const;
  void prefetch_details() const;
  // Marks in the directory every handle that the node or its applications keep.
  void mark_handles() const;

 private:
  friend class Context;

  void begin(Time now, Outbox& out, Step& step);
  void finish(Step& step);

  std::unique_ptr<NodeState> state_;
};

template <typename Action>
void Node::run(Time now, ApplicationId application, Outbox& out, Action&& action) {
  Step step;
  begin(now, out, step);
  action(Context(*this, step, application));
  finish(step);
}

}  // namespace pastry
