// Every parameter of a node in one place: meaning, unit, range and source. Validated once.
// Commands set them by name (parameters.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"

namespace pastry {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct Marks;
class Metric;

struct Config {
  // --- Geometry [Pastry §2.1]; must be the same on every node of an overlay (b, leaf_set) ---

  // b: bits per digit, 1…8. Rows of the routing table have 2^b columns.
  int digit_bits = 4;
  // l = |L|: size of the leaf set, both halves together; even, 2…128.
  int leaf_set = 32;
  // |M|: size of the neighbourhood set, 0…128.
  int neighbourhood = 32;

  // --- Proximity [Pastry §2.1]; should be the same on every node of an overlay ---

  // By what the nearer of two peers is told (metric.h); null: by the measured round-trip time. Must
  // outlive the node.
  const Metric* metric = nullptr;

  // --- Failure detection [MSPastry §4.1] ---

  // T_ls, the heartbeat to a neighbour: the renewal of its lease, which comes at least so often and
  // usually earlier (lease_renewal below). Must be the same on every node of an overlay: services
  // beat by it, and take who is silent for several of their own for gone.
  Duration heartbeat_period = seconds(30);
  // T_out: how long a probe waits for its answer.
  Duration probe_timeout = seconds(1);
  // Further attempts before a silent peer is declared dead.
  int probe_retries = 2;
  // (r + 1)·T_out: from the first probe of a silent peer to its end.
  Duration probe_time() const { return probe_timeout * (probe_retries + 1); }
  // How long a dead leaf stays in the failed set that travels in leaf-set probes, and for how long
  // nobody's word brings it to be probed again; what it sends itself does.
  Duration failed_memory = minutes(2);
  // Bound on the failed set and on the remembered dead peers.
  std::size_t failed_max = 256;
  // A leaf that was declared dead by mistake and came back is given twice as many probes before it
  // is declared dead again within this time, and twice as many again each further time.
  Duration flip_memory = minutes(10);
  // How often the straight link to a peer is tried that answers only over a third node.
  Duration relay_retry_period = seconds(60);

  // --- Consistency [MSPastry §3.1, TR05-456] ---

  // What a node needs from both immediate neighbours to be active, on its own clock; the grantor
  // adds lease_margin(). Must be the same on every node of an overlay: each counts by its own, and
  // a neighbour that counts shorter ones would act on the keys of a node that still does. The keys
  // of a crashed root wait up to so long. At least probe_timeout * (probe_retries + 3), or each
  // death of a neighbour would suspend a node for a moment, and leases would be renewed all the
  // time. Shorter ones cost messages (three for each lease_renewal()), longer ones let lookups
  // wait.
  Duration lease = seconds(15);
  // By how much the clocks of neighbours may differ while a lease lasts: they may run 3 % apart.
  // What it adds, the keys of a crashed root wait longer.
  Duration lease_margin() const { return lease / 32; }
  // A lease as its grantor counts it.
  Duration granted_lease() const { return lease + lease_margin(); }

  // --- Per-hop acknowledgement [MSPastry §4.2, Bamboo §4] ---

  // Retransmission timeout before the first sample, less where the distance is known (twice the
  // distance, at least twice rto_min), and its bounds afterwards (RTO = mean + 4 * deviation).
  // rto_max is at least T_out: each attempt on the way is passed on with attempts of its own, and
  // where all of them come too early their copies multiply.
  Duration rto_initial = milliseconds(500);
  Duration rto_min = milliseconds(50);
  Duration rto_max = seconds(3);
  // Attempts of a message on its way, at one hop after the other, before it is given up; at the
  // root itself, which has no substitute, it waits and is tried again.
  int hop_attempts = 20;
  // Bound on messages of this node that wait for a hop's acknowledgement.
  std::size_t unacknowledged_max = 65536;
  // A message that was forwarded this often is dropped as looping.
  int hops_max = 64;
  // How long the root remembers the ids of delivered messages to drop retransmitted copies, at
  // least keep_max(), and how many at most.
  Duration duplicate_memory = seconds(60);
  std::size_t duplicate_max = 65536;

  // --- Join (protocol reference §1: one batch per gap) ---

  // Back-off of a joiner that hears nothing: from … up to, doubling, jittered.
  Duration join_retry_min = seconds(2);
  Duration join_retry_max = seconds(60);
  // Joiners admitted to a gap together, and the bound on those that wait for it.
  std::size_t gap_batch = 16;
  std::size_t gap_queue_max = 1024;
  // A batch whose joiners stay silent this long is given up and the gap reopened; at least
  // probe_time().
  Duration gap_expiry = seconds(20);
  // Bound on messages that wait here for a root, and as many again on copies of those that wait for
  // one at the next hop, a quarter of them for each peer. How long they wait at most: a crashed
  // root's leases, and a batch of joiners.
  Duration keep_max() const { return lease * 2 + gap_expiry; }
  std::size_t inactive_buffer_max = 1024;

  // --- Upkeep ---

  // Period of the leaf-set exchange with a random member (repairs what heartbeats do not show).
  Duration leaf_exchange_period = minutes(2);
  // Period of routing-table and neighbourhood-set upkeep [Pastry §2.4, MSPastry §4.3].
  Duration table_upkeep_period = minutes(20);
  // Delay of the first round of table upkeep after a join; doubles each round up to the period
  // above.
  Duration table_settle_period = seconds(2);
  // Largest T_rt, the period at which a silent entry of the routing table is probed; used while no
  // failures are seen (probe_tuning.h).
  Duration table_probe_period_max = minutes(15);
  // Share of messages that may be lost on their first way to nodes that died unnoticed, from which
  // T_rt follows, per cent [MSPastry §4.1]; 1…50.
  // What one of them costs is a timeout, not the message.
  int table_loss_percent = 10;
  // Period at which remembered dead peers, and if alone the bootstrap peer, are tried, so that
  // partitions heal: where something looks like one; otherwise one period in twenty is used. And
  // how long the dead are remembered.
  Duration reunion_period = seconds(30);
  Duration reunion_memory = std::chrono::hours(24);
  // Random jitter applied to all periods, per cent.
  int jitter_percent = 20;

  // --- Application interface ---

  // Default deadline of route() and request().
  Duration route_deadline = seconds(30);
  // Bound on operations (routes with outcome, requests) pending per node.
  std::size_t pending_max = 65536;
  // Largest payload that route() and send() at application priority take, in bytes.
  std::size_t payload_max = 64 * 1024;
  // Largest payload of a bulk send, in bytes.
  std::size_t bulk_payload_max = (1U << 20) + 64 * 1024;

  // --- For checkers ---

  // Where rare paths are counted (marks.h); null in production. Must outlive the node.
  Marks* marks = nullptr;

  // Profile for local networks and tests: T_ls 1 s, T_out 0.5 s, detection within 5 s.
  static Config lan();
  // Profile for wide-area networks: a lease of 15 s renewed after 11 s, T_out 1 s (the defaults
  // above).
  static Config wan();
  // Profile for wide-area networks whose round trips stay well below half a second, as within a
  // continent: T_out 0.5 s, one retry, a lease of 19 s. Costs about a fifth less than wan().
  static Config regional();

  // Profile for tests on one machine: T_ls 0.2 s, T_out 0.1 s, a lease of 0.6 s, so that a death is
  // found out and the keys are back within a second. A machine that is busy for a tenth of a second
  // makes live nodes look silent.
  static Config test();

  // How old a lease gets before it is renewed: early enough that a silent neighbour is found dead
  // and the next one has granted a new lease when the old one ends.
  Duration lease_renewal() const;

  // Largest k that replica_set() can answer: l/2 + 1 [PAST §2.2].
  int replicas_max() const { return leaf_set / 2 + 1; }

  // The first violated range, as ErrorCode::invalid naming the field, its value and its range.
  Result<void> validate() const;
};

}  // namespace pastry
