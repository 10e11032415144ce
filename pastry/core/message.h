// The messages of the overlay, as values. pastry/wire/pastry.capnp specifies how they travel.
//
// Peers appear as handles of the local Directory; the codec translates. Every vector here is
// bounded by the codec when it arrives from a peer (see wire/codec.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/id.h"
#include "pastry/core/payload.h"
#include "pastry/core/timestamp.h"
#include "proximity/proximity.h"

namespace pastry {

using proximity::Proximity;

// Which application a message belongs to. 0…63 are the project's own (see apps of the house in
// application_ids.h); others take application_id("name").
enum class ApplicationId : std::uint32_t {};

// A stable id from a name (FNV-1a), never below 64.
constexpr ApplicationId application_id(std::string_view name) {
  std::uint32_t hash = 2166136261U;
  for (const char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
  return ApplicationId{hash < 64 ? hash + 64 : hash};
}

// Order in which a host sends what waits for the same peer.
enum class Priority : std::uint8_t { control = 0, application = 1, bulk = 2 };

enum class LookupKind : std::uint8_t {
  consistent = 0,  // only the active node closest to the key delivers
  replica = 1,     // any of the k nodes closest to the key may deliver
};

// --- Routing -----------------------------------------------------------------------------------

// The small header that each hop rewrites.
struct RouteHeader {
  Key key;
  ApplicationId application{};
  Handle source = kNoHandle;   // who called route()
  std::uint64_t sequence = 0;  // with source (and its incarnation): identity of the message
  LookupKind kind = LookupKind::consistent;
  std::uint8_t replicas = 1;   // k of a replica lookup
  bool wants_outcome = false;  // the root reports Outcome to the source
  bool witnessed = false;      // for safety's sake: the receiver sends it back, and so has a copy
  std::uint16_t hops = 0;      // hops taken so far
  std::uint8_t reroutes = 0;   // detours taken because a hop was silent
  std::uint32_t hop_sequence = 0;  // chosen by the previous hop; named in its acknowledgement
  std::vector<Handle> avoid;       // nodes found silent on the way; at most 8
};

// A message on its way to the root of its key.
struct Routed {
  RouteHeader header;
  Payload payload;
};

// Acknowledges routed messages of the peer: ranges of hop_sequence, each first … first + count - 1.
struct HopAck {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  // Received, but they wait here for a root: the peer keeps its copies until it hears again.
  bool held = false;
};

enum class RouteResult : std::uint8_t { delivered, timed_out, refused, undeliverable };

// From the root to the source of a message that wanted an outcome.
struct Outcome {
  std::uint64_t sequence = 0;
  RouteResult result = RouteResult::delivered;
  std::uint16_t hops = 0;
};

// --- Join (protocol reference §1) ----------------------------------------------------------------

// One row of a routing table: its members, in no particular order.
struct Row {
  std::uint8_t index = 0;
  std::vector<Handle> entries;
};

// From the joiner to its seed, then hop by hop to the root of the joiner's id. Each active node on
// the path adds the rows that the joiner can use.
struct JoinRequest {
  Handle joiner = kNoHandle;
  std::uint32_t attempt = 0;  // grows with each retry of the same incarnation
  std::uint16_t hops = 0;
  std::vector<Row> rows;
};

// The root, or a gap owner that is no longer the right one, hands a joiner to the owner of the gap
// in which the joiner's id lies.
struct JoinTransfer {
  JoinRequest request;
};

// The gap's owner A asks its successor B to shrink its coverage to the batch's nearest joiner.
struct GapReserve {
  std::uint32_t batch = 0;
  std::vector<Handle> joiners;  // in ring order from A
};

struct GapReserveReply {
  std::uint32_t batch = 0;
  bool granted = false;
  // If refused because the sender is not B's predecessor: the node that is.
  Handle predecessor = kNoHandle;
};

// The gap's owner to each joiner of the batch.
struct JoinGrant {
  std::uint32_t attempt = 0;
  std::uint32_t batch = 0;
  std::vector<Handle> batch_joiners;  // in ring order from the owner, the joiner included
  Handle successor = kNoHandle;       // B
  std::vector<Handle> leaf_set;       // of the owner, without the batch
  std::vector<Row> rows;              // collected on the joiner's path
};

// A joiner became active; to the owner and to the successor of its gap.
struct JoinReport {
  std::uint32_t batch = 0;
  bool active = false;
};

// The owner tells the successor that the batch is over and the gap open again.
struct GapRelease {
  std::uint32_t batch = 0;
};

// An inactive or full node does not help; the joiner backs off at least this long.
struct JoinRefused {
  std::uint32_t attempt = 0;
  Duration retry_after{};
};

// --- Leaf set, liveness, upkeep
// -------------------------------------------------------------------

// Exchange of leaf sets; doubles as probe before insertion and as proof of life [MSPastry §3.1].
struct LeafProbe {
  bool reply = false;       // false: please answer
  bool active = false;      // the sender is a member: active, or suspended
  std::uint32_t token = 0;  // echoed by the reply; 0 in unsolicited ones
  std::vector<Handle> leaf_set;
  std::vector<Handle> failed;
  // T_rt that the sender computed from the failures it saw; 0: it saw none (probe_tuning.h).
  Duration probe_period{};
  // What the sender measured between itself and the receiver; negative: nothing.
  Duration round_trip{-1};
};

// Between immediate neighbours: asks for a lease, grants one, or both (leases.h). An exchange takes
// three messages: request, grant with request, grant. It is the heartbeat, too.
struct Lease {
  // A node between the two that died while it may have held leases, and for how long it may do so.
  using Guarded = std::pair<Handle, Duration>;

  std::uint32_t request = 0;  // token of a request; 0: nothing asked
  std::uint32_t grant = 0;    // token of the request that this answers; 0: none
  bool left = false;          // granted: the receiver is the sender's left neighbour
  bool right = false;         // granted: the receiver is the sender's right neighbour
  bool active = false;        // the sender is active
  bool vouches = false;       // who is not among the guarded holds nothing from the sender's side
  // Granted: how long what others beyond the receiver were granted in its place may be valid yet.
  Duration others{};
  std::vector<Guarded> guarded;  // at most kGuardedMax
};
inline constexpr std::size_t kGuardedMax = 16;

// Proof of life and round-trip time of any node.
struct Ping {
  std::uint32_t token = 0;
};
struct Pong {
  std::uint32_t token = 0;
  bool active = false;
  // The sender asks for an Announce if the round trip is shorter than this: the receiver would come
  // into its routing table. Unknown: in any case.
  Proximity wanted = Proximity::from_nothing();
};

// A peer, and what the sender of the message measured between itself and it.
struct Located {
  Handle peer = kNoHandle;
  Proximity distance;
};

// For rows first … last of the routing table.
struct RowRequest {
  std::uint8_t first = 0;
  std::uint8_t last = 0;
};
// Entries of rows, and some of the nearest nodes; also unasked, to somebody for whom they are news.
struct RowReply {
  std::vector<Located> entries;
};

struct NeighbourhoodRequest {};
struct NeighbourhoodReply {
  std::vector<Located> members;
};

// "I am active; consider me." With the round-trip time that the sender measured, so that the
// receiver need not measure it again, and the sender's row of their common prefix.
struct Announce {
  Duration round_trip{-1};  // negative: not measured
  std::vector<Located> row;
};

// The sender leaves, or gives up a place that it was granted, and names its leaf set, so that
// receivers can repair at once.
struct Leave {
  std::vector<Handle> leaf_set;
  // A joiner that gives up the place it was granted: it was not active, and comes again.
  bool gives_up = false;
};

// Looks for the place of `seeker` in the ring of whoever gets it: routed towards the seeker's id,
// and answered by the node closest to it with a leaf-set probe straight to the seeker. Rings that a
// partition left apart become one again this way.
struct Seek {
  Handle seeker = kNoHandle;
  std::uint16_t hops = 0;
};

struct Enclosed;

// A message between two nodes that cannot reach each other, over a third one that both have in
// their leaf sets. One hop only: from the source to the relay, which passes it on to the target.
struct Relay {
  Handle source = kNoHandle;
  Handle target = kNoHandle;
  std::shared_ptr<const Enclosed> enclosed;  // never null in a message that was received
};

// --- Between applications on two nodes
// -------------------------------------------------------------

// One hop, straight to a node: no key, no forward upcalls. request != 0 asks for an answer that
// carries the same number with reply set.
struct Direct {
  ApplicationId application{};
  std::uint32_t request = 0;
  bool reply = false;
  bool refused = false;  // with reply: no such application, or it did not answer
  // Peers that the sender makes known to the receiver (Context::introduce); at most
  // kIntroducedMax. They pass the verifier like every other peer in a message.
  std::vector<Handle> peers;
  Payload payload;
};
inline constexpr std::size_t kIntroducedMax = 128;

using Message =
    std::variant<Routed, HopAck, Outcome, JoinRequest, JoinTransfer, GapReserve, GapReserveReply,
                 JoinGrant, JoinReport, GapRelease, JoinRefused, LeafProbe, Lease, Ping, Pong,
                 RowRequest, RowReply, NeighbourhoodRequest, NeighbourhoodReply, Announce, Leave,
                 Direct, Seek, Relay>;

// What a Relay carries: any message but a Relay.
struct Enclosed {
  Message message;
};

}  // namespace pastry
