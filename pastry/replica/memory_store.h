// A store without a disk: for the simulator and for tests. Same answers as the durable engine.
//
// "Durable" means here: as long as this object lives. A simulated node that crashes and restarts
// gets the same object back. An idle store owns no heap memory.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/hash.h"
#include "pastry/core/storage.h"
#include "pastry/replica/store_rules.h"

namespace pastry::replica {

struct MemoryStoreOptions {
  std::uint64_t capacity_bytes = UINT64_MAX;
  std::uint64_t value_max = Config{}.bulk_payload_max;
};

class MemoryStore final : public Store {
 public:
  // `hash` must outlive the store.
  explicit MemoryStore(const Hash& hash, MemoryStoreOptions options = {})
      : hash_(&hash), options_(options) {}

  void apply(std::span<const StorageRequest> requests,
             std::vector<StorageCompletion>& completions) override;

  const StoreCounters& counters() const { return contents().counters; }
  // Changes the soft quota; what is stored stays.
  void set_capacity(std::uint64_t bytes) { options_.capacity_bytes = bytes; }
  // Flips one bit of a stored value, as a bad disk would. False if there is none to flip.
  bool corrupt_value(const NodeId& node, const StoreName& name, std::size_t bit);
  // Drops everything, as if the data directory had been emptied.
  void wipe();

 private:
  struct EntryKey {
    NodeId node;
    StoreName name;
    friend constexpr auto operator<=>(const EntryKey&, const EntryKey&) = default;
  };
  struct Record {
    std::uint64_t version = 0;
    Bytes meta;
    Payload value;
    std::optional<Digest> digest;
  };
  using Entries = std::map<EntryKey, Record>;
  struct Contents {
    Entries entries;
    std::uint64_t used_bytes = 0;
    StoreCounters counters;
  };

  // What an idle store has in common with all others.
  const Contents& contents() const;
  Contents& contents();

  Result<StoreOutcome> run(const NodeId& node, const StorePut& put);
  Result<StoreOutcome> run(const NodeId& node, const StoreGet& get);
  Result<StoreOutcome> run(const NodeId& node, const StoreErase& erase);
  Result<StoreOutcome> run(const NodeId& node, const StoreScan& scan) const;
  Result<StoreOutcome> run(const NodeId& node, const StoreUsage& usage) const;
  Result<StoreOutcome> run(const NodeId& node, const ComputeDigest& compute) const;

  // Appends entries of `node` with from <= name <= to; false if the limit cut it short.
  bool collect(const NodeId& node, const StoreName& from, const StoreName& to, std::size_t limit,
               std::vector<StoreEntry>& entries) const;
  static StoreEntry entry_of(const EntryKey& key, const Record& record);
  static std::uint64_t cost(const Record& record);

  const Hash* hash_;
  MemoryStoreOptions options_;
  std::unique_ptr<Contents> contents_;  // made with the first write, read or failure
};

}  // namespace pastry::replica
