// The common API between the overlay and the applications on it.
//
// Source: [API] Dabek, Zhao, Druschel, Kubiatowicz, Stoica: Towards a Common API for Structured
// Peer-to-Peer Overlays, IPTPS 2003; extended by direct messages, requests, timers and storage.
// PAST and SCRIBE are applications like any other. Several can live on one node, told apart by
// their ApplicationId.
//
// Threads: every upcall runs on the loop that drives the node, one at a time, and must be short; it
// never blocks. Downcalls are made through the Context that the upcall received and are valid only
// during it. No downcall calls back: what a downcall causes at this node (a delivery to itself, an
// outcome) comes in an upcall of its own, after the current one returned.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/directory.h"
#include "pastry/core/error.h"
#include "pastry/core/event.h"
#include "pastry/core/message.h"
#include "pastry/core/nearness.h"
#include "pastry/core/random.h"
#include "pastry/core/storage.h"
#include "pastry/core/timestamp.h"
#include "proximity/proximity.h"

namespace pastry {

class Node;
struct Step;

// Identifies a route() with outcome, a request(), a timer or a storage request of one node. Never
// 0.
using OperationId = std::uint64_t;

struct RouteOptions {
  LookupKind kind = LookupKind::consistent;
  // k of a replica lookup: 1 … l/2 + 1.
  int replicas = 1;
  // Whether route_outcome() shall be called. Without it route() is fire and forget (hops are
  // acknowledged and repeated all the same).
  bool wants_outcome = false;
  // With wants_outcome: when to give up; zero means Config::route_deadline.
  Duration deadline{};
  // Send to this node first; the ordinary rules apply from there. kNoHandle: no hint.
  Handle hint = kNoHandle;
};

// What forward() sees and may change: a message on its way through this node.
struct ForwardedMessage {
  Key key;          // may be changed
  Payload payload;  // may be replaced
  Handle source = kNoHandle;
  Handle previous = kNoHandle;  // the hop before; kNoHandle at the source itself
  Handle next_hop =
      kNoHandle;  // may be changed to any live peer; own handle: will be delivered here
  std::uint16_t hops = 0;
  LookupKind kind = LookupKind::consistent;
};

enum class ForwardDecision : unsigned char {
  pass,  // go on to next_hop
  stop,  // this application took the message; it counts as delivered here (outcome included)
};

struct Delivery {
  Key key;
  Payload payload;
  Handle source = kNoHandle;    // where route() was called
  Handle previous = kNoHandle;  // the hop before; kNoHandle if route() was called here
  std::uint64_t sequence = 0;   // unique per source
  std::uint16_t hops = 0;
  LookupKind kind = LookupKind::consistent;
};

struct RouteOutcome {
  RouteResult result = RouteResult::delivered;
  Handle root = kNoHandle;  // who delivered or stopped it; kNoHandle if nobody did
  std::uint16_t hops = 0;
};

// A direct message. request != 0: the sender waits for Context::reply.
struct Incoming {
  Handle from = kNoHandle;
  std::uint32_t request = 0;
  std::vector<Handle> peers;  // whom the sender introduces; see Context::introduce
  Payload payload;
};

enum class PeerChange : unsigned char { joined, left };

// The downcalls. Cheap to copy, valid during one upcall (or one post) only.
class Context {
 public:
  Context(Node& node, Step& step, ApplicationId application)
      : node_(&node), step_(&step), application_(application) {}

  // The same node and step in the name of another application on it.
  Context as(ApplicationId application) const { return {*node_, *step_, application}; }
  // In whose name this context makes downcalls.
  ApplicationId application() const { return application_; }

  Time now() const;
  WallTime wall_time() const;
  const Config& config() const;
  const Directory& directory() const;
  Handle self() const;
  const NodeId& self_id() const;
  const NodeId& id(Handle node) const;
  // This node before it was restarted. What that sent may still arrive, and nobody waits for an
  // answer.
  bool is_earlier_self(Handle node) const;
  bool active() const;
  Random& random() const;

  // --- Routing [API §3] ---

  // Sends `payload` (at most Config::payload_max bytes) towards the root of `key`. Errors:
  // too_large, full (pending_max), invalid (k out of range). The id is unique for this node.
  Result<OperationId> route(const Key& key, Payload payload,
                            const RouteOptions& options = {}) const;

  // Up to `count` next hops for `key`, best first; safe is reserved for constrained tables and has
  // no effect yet. The node itself is included as self() where it would deliver.
  std::vector<Handle> local_lookup(const Key& key, std::size_t count, bool safe = false) const;

  // Up to `count` live peers of the leaf set, nearest id first.
  std::vector<Handle> neighbor_set(std::size_t count) const;

  // Whether `peer`, one of the leaf set, is active as far as this node knows: who is just joining
  // is not yet.
  bool is_active(Handle peer) const;

  // During activity() of a node that has joined: owner and successor of the gap that it was
  // admitted to. One of them was the root of each of its keys when it came, unless another of its
  // batch was faster. Otherwise, and after founding a ring, nobody.
  std::vector<Handle> gap_ends() const;

  // The replica set of `key` in the order of distance, this node included as self();
  // k <= Config::replicas_max(). See routing.h.
  std::vector<Handle> replica_set(const Key& key, int k) const;

  // Whether this node would deliver a consistent message for `key` now. Nobody else would, and
  // whoever becomes the root after it has first got a lease of this node, or waited for its end.
  bool is_root(const Key& key) const;

  // Whether this node is sure about replica_set(key, k) from its own leaf set.
  bool knows_replica_set(const Key& key, int k) const;

  // The keys for which `node` (a member of the leaf set or self()) is the rank-th closest, rank 0 …
  // l/2: an arc from … to, both inclusive, clockwise. Error unavailable if the leaf set does not
  // tell.
  struct Range {
    Key from;
    Key to;
  };
  Result<Range> range(Handle node, int rank) const;

  // The distance to a peer: the measured round-trip time, or what Config::metric says; unknown if
  // the peer did not answer yet or is not kept in the tables.
  proximity::Proximity proximity(Handle node) const;
  // The round-trip time to a peer as it was measured; nothing if that is not known, which it never
  // is with a metric.
  std::optional<Duration> round_trip(Handle node) const;
  // Up to `count` peers of known distance, nearest by the proximity metric first (nearness.h).
  std::vector<Neighbour> nearest(std::size_t count) const;
  // All peers that are known to be at most this far away, nearest first.
  std::vector<Neighbour> within(proximity::Proximity limit) const;
  // Whether the peer is not suspected or known to be dead.
  bool believed_alive(Handle node) const;

  // --- Direct messages ---

  // One hop to the same application on `to`, without acknowledgement. Messages of one priority to
  // one peer arrive in order or not at all. To self() is allowed. Errors: too_large.
  Result<void> send(Handle to, Payload payload, Priority priority = Priority::application) const;

  // As send(), and makes `peers` known to the receiver, as Incoming::peers: how one node tells
  // another whom to talk to (a payload cannot carry handles). Errors: too_large (more than
  // kIntroducedMax).
  Result<void> introduce(Handle to, std::vector<Handle> peers, Payload payload,
                         Priority priority = Priority::application) const;

  // As send(), and waits for the answer: exactly one replied() upcall follows, with the payload or
  // with timed_out, refused, or unavailable (the peer was declared dead). Zero timeout means
  // Config::route_deadline.
  Result<OperationId> request(Handle to, Payload payload, Duration timeout = {},
                              Priority priority = Priority::application) const;

  // Answers an Incoming with request != 0; may be done in a later upcall.
  Result<void> reply(Handle to, std::uint32_t request, Payload payload,
                     Priority priority = Priority::application) const;

  // --- Timers and storage ---

  // Calls timer(cookie) once, `delay` from now. Cancel with the id.
  OperationId set_timer(Duration delay, std::uint64_t cookie = 0) const;
  void cancel_timer(OperationId timer) const;

  // Calls stored() with the completion. The id equals StorageRequest::tag.
  OperationId store(StoreOperation operation) const;

  // --- For people ---

  void emit(std::string name, std::string detail) const;

 private:
  Node* node_;
  Step* step_;
  ApplicationId application_;
};

// The upcalls. Only deliver() must be written.
class Application {
 public:
  virtual ~Application() = default;

  // A message of this application passes through (also at its source, before the first hop, and at
  // the root, with next_hop == self(), before deliver).
  virtual ForwardDecision forward(Context context, ForwardedMessage& message);

  // This node is the root of the key (or, for a replica lookup, one of the k closest).
  virtual void deliver(Context context, const Delivery& message) = 0;

  // `node` joined or left the leaf set.
  virtual void update(Context context, Handle node, PeerChange change);

  // This node became active (delivers from now on), or ceased to be.
  virtual void activity(Context context, bool active);

  // Any peer was declared dead or left gracefully (leaf-set members also come through update).
  virtual void peer_gone(Context context, Handle node);

  virtual void route_outcome(Context context, OperationId operation, const RouteOutcome& outcome);
  virtual void receive(Context context, const Incoming& message);
  virtual void replied(Context context, OperationId operation, const Result<Payload>& answer);
  virtual void timer(Context context, std::uint64_t cookie);
  virtual void stored(Context context, OperationId operation, const Result<StoreOutcome>& result);

  // Reports every handle that this application keeps, so that the host does not forget it.
  virtual void mark_handles(Directory& directory) const;
};

}  // namespace pastry
