// The lookup application's messages as values; lookup.capnp specifies them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/id.h"
#include "pastry/core/payload.h"
#include "pastry/core/timestamp.h"

namespace pastry::service {

inline constexpr std::size_t kTraceHopsMax = 128;
inline constexpr std::size_t kKnownMax = 512;
inline constexpr std::size_t kEndpointMax = 256;

struct TraceHop {
  NodeId id;
  std::string endpoint;
  std::optional<Duration> delay;  // from the node before
};

// What `status` adds up.
struct NodeStatistics {
  std::uint64_t blobs = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t under_replicated = 0;
  std::uint64_t bytes_to_repair = 0;
  std::uint64_t short_of_nodes = 0;
  std::uint64_t nodes_wanted = 0;
  std::uint64_t counted_age_ms = 0;  // of the numbers before; 0 if there was nothing to count
  bool uncounted = false;            // there is, and it was not counted yet
  std::uint64_t pending_pulls = 0;
  std::uint64_t pending_pull_bytes = 0;
  bool settled = true;
  std::uint64_t topics = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t delivered = 0;
  std::uint64_t retransmitted = 0;
  std::uint64_t dropped = 0;
};

struct NodeReport {
  Key asked;
  NodeId id;
  std::string endpoint;
  bool active = false;
  struct Neighbours {
    NodeId left;
    NodeId right;
  };
  std::optional<Neighbours> neighbours;
  std::vector<NodeId> known;
  NodeStatistics statistics;
};

struct LookupProbe {};
struct TraceProbe {
  std::vector<TraceHop> path;
};
struct CensusProbe {};
struct TraceAnswer {
  std::vector<TraceHop> path;
};

struct LookupMessage {
  std::uint64_t call = 0;
  std::variant<LookupProbe, TraceProbe, CensusProbe, TraceAnswer, NodeReport> content;
};

Payload encode(const LookupMessage& message);
// Error: invalid.
Result<LookupMessage> decode(const Payload& payload);

}  // namespace pastry::service
