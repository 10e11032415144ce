// Durable storage as the core sees it: requests go out, completions come back as inputs.
//
// An application of a node asks through its Context; the host runs the requests of all its nodes on
// a storage thread against a Store, many in one commit, and hands each completion back to the node.
// Requests of one node complete in the order in which they were made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/hash.h"
#include "pastry/core/id.h"
#include "pastry/core/message.h"
#include "pastry/core/payload.h"

namespace pastry {

// Name of an entry: 32 bytes whose first 16 are the ring key, so that a scan by name is a scan
// along the ring. A fileId, a block id, a hash of a record's name.
struct StoreName {
  std::array<std::uint8_t, 32> bytes{};

  Key key() const;
  // Accepts exactly 64 hexadecimal digits.
  static Result<StoreName> parse(std::string_view hex);
  std::string hex() const;
  friend constexpr auto operator<=>(const StoreName&, const StoreName&) = default;
};

// When a put applies.
enum class PutCondition : std::uint8_t {
  always,
  if_newer,    // no entry, or its version is lower than the new one
  if_version,  // the entry's version is exactly `expected_version` (0: there is no entry)
};

struct StorePut {
  StoreName name;
  std::uint64_t version = 0;  // >= 1
  Bytes meta;                 // at most kStoreMetaMax bytes, returned by scans
  Payload value;              // at most Config::bulk_payload_max bytes
  PutCondition condition = PutCondition::always;
  std::uint64_t expected_version = 0;
  // If set, the engine checks it against the value before it writes (error: corrupt), keeps it, and
  // checks it again whenever the whole value is read (StoreGet::check).
  std::optional<Digest> digest;
};

struct StoreGet {
  StoreName name;
  bool with_value = true;
  std::uint64_t offset = 0;           // into the value
  std::uint64_t length = UINT64_MAX;  // clipped to what is there
  bool check = true;                  // false: whoever gets the bytes checks them
};

struct StoreErase {
  StoreName name;
};

// Entries with from <= name <= to in ascending order, without values; from > to wraps around the
// ring's end. Ask again from the successor of the last name until `more` is false.
struct StoreScan {
  StoreName from;
  StoreName to;
  std::uint32_t limit = 1000;
};

struct StoreUsage {};

// Not storage but the same kind of work: hashes bytes off the loop. Unlike the others it may
// complete out of order.
struct ComputeDigest {
  Payload bytes;
};

using StoreOperation =
    std::variant<StorePut, StoreGet, StoreErase, StoreScan, StoreUsage, ComputeDigest>;

inline constexpr std::size_t kStoreMetaMax = 4096;

struct StorageRequest {
  NodeId node;                  // whose namespace; each node of a process has its own
  ApplicationId application{};  // who gets the completion
  std::uint64_t tag = 0;        // chosen by the node, returned with the completion
  StoreOperation operation;
};

struct StoreEntry {
  StoreName name;
  std::uint64_t version = 0;
  std::uint64_t size = 0;  // of the whole value
  Bytes meta;
  std::optional<Digest> digest;
};

// Durable (synced) when the completion says so.
struct StorePutDone {};
struct StoreGetDone {
  StoreEntry entry;
  Payload value;  // the asked part
};
struct StoreEraseDone {
  bool existed = false;
};
struct StoreScanDone {
  std::vector<StoreEntry> entries;
  bool more = false;
};
struct StoreUsageDone {
  std::uint64_t used_bytes = 0;      // by the whole store
  std::uint64_t capacity_bytes = 0;  // soft quota
  std::uint64_t entries = 0;         // of this node
};

struct ComputeDigestDone {
  Digest digest{};
};

using StoreOutcome = std::variant<StorePutDone, StoreGetDone, StoreEraseDone, StoreScanDone,
                                  StoreUsageDone, ComputeDigestDone>;

// Errors: not_found (get), conflict (put condition did not hold), full (quota or disk),
// corrupt, failed (the disk said no; the message names the call and the reason), unavailable (too
// many requests wait; later).
struct StorageCompletion {
  NodeId node;
  ApplicationId application{};
  std::uint64_t tag = 0;
  Result<StoreOutcome> result;
};

// A storage engine. One thread at a time; the host gives it a thread of its own.
class Store {
 public:
  virtual ~Store() = default;

  // Carries out all requests in order and appends one completion each, after everything that the
  // batch wrote is synced. A request that fails does not stop the others.
  virtual void apply(std::span<const StorageRequest> requests,
                     std::vector<StorageCompletion>& completions) = 0;
};

}  // namespace pastry
