// Durable keyed entries on the replica set of their key, for the services of the same node.
//
// Source: [PAST] Rowstron & Druschel, SOSP 2001, sections 2 and 3 (placement on the k nodes closest
// to the key, maintenance when the leaf set changes).
//
// Two kinds of entries: immutable blobs (at most kValueMax bytes) and small records that are
// updated conditionally on their version. *Acknowledged* means: k distinct stores (processes) of
// the key's current replica set have the bytes on disk, synced, and said so. As long as fewer than
// k of the holders are lost within one repair window the entry survives. Bytes that do not match
// their digest are never returned. `not_found` is said only after the whole replica set was asked;
// otherwise it is `unavailable`. What was removed stays removed: tombstones travel with the
// hand-off, and a node that was away asks what it missed before what it holds counts as the newest.
//
// Differences from the paper: the client sends to all k holders itself after the root told it who
// they are; no diversion, quota, certificates or cache yet.
//
// Use: one Replica per node, registered under kReplicaApplication. The operations take the Context
// of the current upcall of any application of that node (or of Node::run) and complete through a
// callback: exactly once, later, on the node's loop, with a Context of the same application.
// Errors that only depend on the arguments come the same way. If the node goes down first, the
// callback never runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "pastry/core/application.h"
#include "pastry/core/application_ids.h"
#include "pastry/core/hash.h"
#include "pastry/core/storage.h"
#include "pastry/replica/entry.h"
#include "pastry/replica/options.h"

namespace pastry::replica {

struct Locate;

// Largest value of a blob and of a record, and largest meta data of a blob, in bytes.
inline constexpr std::size_t kValueMax = 1U << 20;
inline constexpr std::size_t kRecordMax = 60 * 1024;
inline constexpr std::size_t kUserMetaMax = 2048;

template <typename T>
using Callback = std::function<void(Context, Result<T>)>;

// How many copies an entry shall have, and how long the operation may take.
struct Copies {
  int k = 3;
  // Acknowledge with so many if the ring (or its stores) has not more; 0: only with k.
  int at_least = 0;
  // Zero: Options::operation_deadline.
  Duration deadline{};
};

struct BlobOptions {
  Copies copies;
  // Kept beside the value and returned with it; at most kUserMetaMax bytes.
  Bytes meta;
  // Set for a part of something larger: the entry that makes this one permanent. If it does not
  // exist by the end of the lease (Options::lease), this blob is dropped.
  std::optional<StoreName> parent;
  // Of the value, if the caller knows it already; otherwise it is computed.
  std::optional<Digest> digest;
};

struct PutResult {
  int copies = 0;   // distinct stores that acknowledged
  int wanted = 0;   // k
  Digest digest{};  // of the value
  std::vector<NodeId> holders;
};

struct Blob {
  Payload value;
  Bytes meta;
  Digest digest{};
  int wanted = 0;  // k
};

enum class HolderState : std::uint8_t {
  holds,
  missing,      // answered that it has no such entry
  removed,      // has the tombstone
  corrupt,      // has bytes that do not match their digest
  unreachable,  // did not answer
};
std::string_view name(HolderState state);

struct Holder {
  NodeId id;
  Handle node = kNoHandle;  // valid during the callback
  int distance_rank = 0;    // 0: the closest to the key
  HolderState state = HolderState::unreachable;
  std::uint64_t version = 0;
};

struct Whereabouts {
  EntryKind kind = EntryKind::blob;
  int wanted = 0;  // k
  int copies = 0;  // distinct stores that hold it
  std::uint64_t size = 0;
  std::uint64_t version = 0;
  Bytes meta;
  // The replica set in the order of distance, then others that still hold a copy.
  std::vector<Holder> holders;
};

struct Record {
  std::uint64_t version = 0;
  Payload value;
};

struct RecordResult {
  std::uint64_t version = 0;  // the new one
  int copies = 0;
  int wanted = 0;
};

// What `status` shows of one node; entries as of the last scan of its store.
struct Status {
  std::uint64_t blobs = 0;
  // Blobs without a parent of which this node is the first holder: added up over all nodes, the
  // files.
  std::uint64_t files = 0;
  std::uint64_t records = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t bytes = 0;
  // Entries of which this node is the first holder and that lack copies which the ring could hold,
  // and the bytes that these take.
  std::uint64_t under_replicated = 0;
  std::uint64_t bytes_to_repair = 0;
  // Likewise those that have all the copies for which there are nodes, and still fewer than k; and
  // the largest k among them.
  std::uint64_t short_of_nodes = 0;
  std::uint64_t nodes_wanted = 0;
  // Entries that this node is about to fetch from others, and their bytes.
  std::uint64_t pending_pulls = 0;
  std::uint64_t pending_pull_bytes = 0;
  // Since the node started.
  std::uint64_t pulled = 0;
  std::uint64_t handed_over = 0;  // copies dropped after k others had confirmed theirs
  std::uint64_t expired = 0;      // parts of uploads that were never finished
  std::uint64_t healed = 0;       // corrupt copies replaced by good ones
  std::optional<Time> counted;    // when that last scan ended
  bool uncounted = false;         // there are entries, and none was scanned yet
  bool scanning = false;          // a comparison is under way
  bool settled = true;            // the last comparison, if there was one, found nothing missing
};

class Replica final : public Application {
 public:
  // `hash` and `options` must outlive this.
  explicit Replica(const Hash& hash, const Options& options);
  ~Replica() override;

  // Stores an immutable blob. Putting the same bytes again is fine and completes what is missing.
  // Errors: invalid (k < 1 or > l/2 + 1, at_least > k), too_large, unavailable (fewer stores than
  // asked for), full (a holder has no space), conflict (other bytes under this name, or removed),
  // timed_out.
  void put_blob(Context context, const StoreName& name, Payload value, BlobOptions options,
                Callback<PutResult> done);

  // Reads a blob (or any entry) from the nearest holder that has it intact. `expected`: the value
  // must have this digest. Zero deadline: Options::operation_deadline. Errors: not_found,
  // unavailable, corrupt (only damaged copies were found).
  void fetch(Context context, const StoreName& name, Callback<Blob> done, Duration deadline = {},
             std::optional<Digest> expected = std::nullopt);

  // Asks everyone who may hold the entry. Errors: not_found, unavailable.
  void where(Context context, const StoreName& name, Callback<Whereabouts> done,
             Duration deadline = {});

  // Replaces the entry by a tombstone on its replica set. Errors: not_found, unavailable,
  // timed_out.
  void remove(Context context, const StoreName& name, Callback<PutResult> done,
              Duration deadline = {});

  // Writes version expected_version + 1 if the record has version expected_version (0: it does not
  // exist). Of several concurrent callers one wins, the others get conflict. timed_out and
  // unavailable: it may or may not have been written; read to know. Other errors as put_blob.
  void update_record(Context context, const StoreName& name, std::uint64_t expected_version,
                     Bytes value, Copies copies, Callback<RecordResult> done);

  // The newest version, as the root of the key knows it after asking the replica set. Errors:
  // not_found, unavailable, timed_out.
  void read_record(Context context, const StoreName& name, Callback<Record> done,
                   Duration deadline = {});

  // Calls `action` in a step of its own, with a Context of the same application: for services that
  // know an answer at once and must not call back from within the downcall.
  void soon(Context context, std::function<void(Context)> action);

  Status status() const;

  // --- Upcalls ---

  void deliver(Context context, const Delivery& message) override;
  void update(Context context, Handle node, PeerChange change) override;
  void activity(Context context, bool active) override;
  void receive(Context context, const Incoming& message) override;
  void replied(Context context, OperationId operation, const Result<Payload>& answer) override;
  void timer(Context context, std::uint64_t cookie) override;
  void stored(Context context, OperationId operation, const Result<StoreOutcome>& result) override;
  void mark_handles(Directory& directory) const override;

 private:
  struct Parts;
  struct Made;

  void locate(Context context, const Delivery& message, const Locate& request);
  Parts& parts();
  Parts* existing() const;  // null: none was needed yet
  void remember_elders(Context context);
  // This node was away, and others may know of removals that it does not know of.
  bool doubtful() const;
  // Likewise, of this entry.
  Doubt doubt(Time now, const StoreName& name) const;
  // Reports an error of the arguments; false if there is none.
  template <typename T>
  bool refused(Context context, const Result<void>& good, const Callback<T>& done);

  const Hash* hash_;
  const Options* options_;
  std::unique_ptr<Made> made_;  // an idle node has none
  bool unread_ = false;         // active, and the store has not said yet whether it holds anything
};

}  // namespace pastry::replica
