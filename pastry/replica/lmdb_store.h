// The durable store engine: one LMDB environment, every batch committed and synced as one.
//
// Directory: `lock` (one process), `store` (format version and owner, text), `data.mdb`. Entries
// are keyed by node id and name; meta data and values lie in separate sub-databases, so that a scan
// never touches a value. A put is refused with `full` while there is still room for erases: the
// soft quota lies below the map size, and the file is allocated ahead of use, in steps, so that a
// full disk shows as an error value when a step is due and never in the middle of a commit.
//
// Values are read with pread(2) at their place in the file (LMDB stores a large value
// contiguously), inside a read transaction: a bad sector is an error value, not a signal. Values
// below a page are copied out of the map.
//
// What it relies on: a disk that keeps what fdatasync reported. After a sync failed for another
// reason than lack of space, the store takes no more writes until it is opened again (a failed sync
// is never repeated and trusted). Values are protected by their digests; flipped bits within LMDB's
// own tree pages are not detected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/error.h"
#include "pastry/core/hash.h"
#include "pastry/core/storage.h"
#include "pastry/replica/store_rules.h"

namespace pastry::replica {

struct LmdbStoreOptions {
  std::filesystem::path directory;
  // Whose data this is, one line of text (say, the id of the process's first node). Kept at first
  // use, compared at every later one. Empty: not compared.
  std::string owner;
  // Soft quota: pages in use, tree included, in bytes.
  std::uint64_t capacity_bytes = std::uint64_t{64} << 30;
  // Kept allocated beyond what is in use, so that erases succeed on a full disk.
  std::uint64_t reserve_bytes = 8U << 20;
  // Largest value.
  std::uint64_t value_max = Config{}.bulk_payload_max;
  // A batch with more value bytes than this is committed in parts (bounds the memory of a commit).
  std::uint64_t commit_bytes_max = 32U << 20;
};

class LmdbStore final : public Store {
 public:
  // `hash` must outlive the store. Errors, each naming the directory: conflict (in use, or belongs
  // to another owner), incompatible (other format version), corrupt (not a store, or truncated),
  // failed (not writable and other refusals of the system), invalid (options).
  static Result<std::unique_ptr<LmdbStore>> open(const Hash& hash, LmdbStoreOptions options);
  ~LmdbStore() override;

  void apply(std::span<const StorageRequest> requests,
             std::vector<StorageCompletion>& completions) override;

  // Not while apply() runs.
  const StoreCounters& counters() const;
  // Whether open() found no entries of an earlier process: a new or an emptied directory.
  bool fresh() const;

 private:
  struct State;
  explicit LmdbStore(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace pastry::replica
