// What a host can be told, and what it counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/hash.h"
#include "pastry/core/id.h"
#include "pastry/core/storage.h"
#include "pastry/core/timestamp.h"
#include "proximity/location.h"
#include "proximity/topology.h"

namespace pastry::host {

enum class Security : unsigned char {
  insecure,  // no identity: only loopback addresses are accepted, anywhere
};

// One node of the process; from the caller's persisted state.
struct NodeOptions {
  NodeId id;
  std::uint64_t incarnation = 1;  // higher than in any earlier life of this id
  std::uint64_t seed = 1;         // of its random choices
};

struct TransportOptions {
  // Where the admission socket listens: "tcp://HOST:PORT"; PORT 0 or "*": any three free
  // consecutive ports (admission, data, bulk).
  std::string listen = "tcp://127.0.0.1:0";
  // The address that others are told, "tcp://HOST:PORT" (PORT 0: the one listened on); empty: the
  // listening address.
  std::string advertise;
  // Name of the overlay; processes of another one are refused. 1…64 bytes.
  std::string overlay = "pastry";
  // l, b, the lease and T_ls of the overlay (hello.capnp); processes with others are refused. A
  // Host takes them from its Config.
  int leaf_set = 32;
  int digit_bits = 4;
  std::uint32_t lease_ms = 15'000;
  std::uint32_t heartbeat_ms = 30'000;
  Security security = Security::insecure;
  // Failure-domain label of this process; empty: a domain of its own.
  std::string domain;
  // Where this process stands on the earth, for metrics that ask; told to its peers.
  proximity::Location location;

  // --- Bounds ---

  // Bytes queued here per remote process at application and at bulk priority together; what does
  // not fit is dropped and counted. Control messages have a reserve of an eighth beside it.
  std::size_t bytes_per_peer_max = std::size_t{16} << 20;
  // Remote processes connected to, and remote processes admitted, at a time.
  std::size_t peers_max = 1024;
  // Messages that ZeroMQ buffers per connection and direction on data connections (each at most
  // about 64 KiB), and on bulk connections (each about 1 MiB).
  int data_high_water_mark = 256;
  int bulk_high_water_mark = 4;
  // Threads that ZeroMQ uses for input and output.
  int io_threads = 1;
  // Largest header and payload frame accepted; the codec has tighter bounds of its own.
  std::size_t frame_max = (std::size_t{1} << 20) + (std::size_t{128} << 10);

  // --- Times ---

  Duration handshake_timeout = milliseconds(1500);  // of a ZeroMQ handshake, and of a hello
  // Of ZeroMQ's heartbeats on a connection, and the silence after which it is closed. They only
  // find connections whose other end vanished without a word: who lives, the nodes find out
  // themselves.
  Duration heartbeat_period = seconds(5);
  Duration heartbeat_timeout = seconds(10);
  Duration idle_timeout = seconds(60);  // an unused connection is closed after this
  // Pause after a process could not be reached: from … up to, doubling.
  Duration retry_min = milliseconds(100);
  Duration retry_max = seconds(5);

  // --- Caps, bytes per second; 0: none ---

  std::uint64_t send_rate_max = 0;     // sent, all peers together
  std::uint64_t receive_rate_max = 0;  // received, all peers together
  std::uint64_t total_rate_max = 0;    // both together

  // --- For tests ---

  // Probability that a received message is thrown away, from a generator seeded with loss_seed.
  double loss = 0;
  std::uint64_t loss_seed = 1;
};

struct Options {
  TransportOptions transport;
  Config config;
  std::vector<NodeOptions> nodes;  // at least one, distinct ids

  // Delays every message between nodes on receipt (place = high 64 bits of the node id); order per
  // pair is kept. None: no delay.
  std::shared_ptr<const proximity::Topology> topology;
  // Bytes that may wait for their delay; a full queue stops reading from the sockets.
  std::size_t delayed_bytes_max = std::size_t{64} << 20;

  // The engine of all nodes' storage requests, used from the storage thread only; without one they
  // fail. And the hash for ComputeDigest, used from a worker thread. Both outlive the host.
  Store* store = nullptr;
  const Hash* hash = nullptr;
  // Storage requests (and bytes in them) that may wait; above it they fail with ErrorCode::full.
  std::size_t storage_queue_max = 65536;
  std::size_t storage_bytes_max = std::size_t{64} << 20;

  // How long stop() goes on sending what is queued.
  Duration flush_max = milliseconds(200);
  // Period of the directory's garbage collection.
  Duration collection_period = seconds(60);
  // An upcall or callback longer than this is reported.
  Duration slow_step = milliseconds(100);
  // Posted actions that may wait.
  std::size_t posts_max = 65536;
};

// Since the host was opened; monotonic.
struct Counters {
  std::uint64_t messages_sent = 0;  // to other processes
  std::uint64_t messages_received = 0;
  std::uint64_t frames_sent = 0;  // ZeroMQ messages; several of ours share one
  std::uint64_t frames_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t messages_local = 0;       // between nodes of this process
  std::uint64_t dropped_full = 0;         // sends: the peer's queue was full
  std::uint64_t dropped_unreachable = 0;  // sends: no connection to be had
  std::uint64_t dropped_malformed = 0;    // received: not a message
  std::uint64_t dropped_unadmitted = 0;   // received: sender was not admitted
  std::uint64_t dropped_unknown = 0;      // received: no such node here
  std::uint64_t dropped_loss = 0;         // received: injected loss
  std::uint64_t hellos_accepted = 0;
  std::uint64_t hellos_refused = 0;
  std::uint64_t storage_refused = 0;  // requests over the bounds
  std::uint64_t slow_steps = 0;
};

}  // namespace pastry::host
