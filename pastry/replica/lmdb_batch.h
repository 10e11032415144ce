// The operations of a store within one LMDB transaction: internal to the durable engine.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>

#include "pastry/core/hash.h"
#include "pastry/core/storage.h"
#include "pastry/replica/lmdb_file.h"

namespace pastry::replica {

struct EntryLimits {
  std::uint64_t capacity_bytes = 0;
  std::uint64_t value_max = 0;
};

// Carries out operations in a transaction that its owner began and will commit or abort.
class LmdbBatch {
 public:
  // `room`: whether puts may be tried; otherwise they are refused with full.
  LmdbBatch(LmdbFile& file, const Hash& hash, EntryLimits limits, MDB_txn* transaction,
            bool writable, bool room)
      : file_(&file),
        hash_(&hash),
        limits_(limits),
        transaction_(transaction),
        writable_(writable),
        room_(room) {}

  Result<StoreOutcome> run(const StorageRequest& request);
  // Before the commit: brings the numbers of entries up to date.
  void finish();

  // Whether there is anything to commit.
  bool dirty() const { return dirty_; }
  // LMDB refused something: the whole transaction is lost. 0, or its error and the call.
  int error() const { return error_; }
  const char* call() const { return call_; }

 private:
  // Keys sort as the ring does: node id, then name, most significant byte first.
  using EntryKey = std::array<std::uint8_t, 48>;
  using NodeKey = std::array<std::uint8_t, 16>;
  static NodeKey node_key(const NodeId& node);
  static EntryKey entry_key(const NodeId& node, const StoreName& name);

  Result<StoreOutcome> run(const NodeId& node, const StorePut& put);
  Result<StoreOutcome> run(const NodeId& node, const StoreGet& get);
  Result<StoreOutcome> run(const NodeId& node, const StoreErase& erase);
  Result<StoreOutcome> run(const NodeId& node, const StoreScan& scan);
  Result<StoreOutcome> run(const NodeId& node, const StoreUsage& usage);
  Result<StoreOutcome> run(const NodeId& node, const ComputeDigest& compute);

  // 0, MDB_NOTFOUND or an error, which is noted.
  int get(MDB_dbi dbi, std::span<const std::uint8_t> key, MDB_val& value);
  // The entry, not_found, or corrupt.
  Result<StoreEntry> find(const EntryKey& key, const StoreName& name);
  bool write(MDB_dbi dbi, std::span<const std::uint8_t> key, ByteView head, ByteView tail);
  bool remove(const EntryKey& key);
  // Appends entries with from <= key <= to; false if the limit cut it short or on an error.
  bool collect(const EntryKey& from, const EntryKey& to, std::size_t limit, StoreScanDone& done);
  std::int64_t stored_count(const NodeKey& node);
  bool lost(const char* call, int error);
  tl::unexpected<Error> lost_error() const;

  LmdbFile* file_;
  const Hash* hash_;
  EntryLimits limits_;
  MDB_txn* transaction_;
  bool writable_;
  bool room_;
  bool dirty_ = false;
  int error_ = 0;
  const char* call_ = "";
  std::map<NodeKey, std::int64_t> entries_added_;
};

}  // namespace pastry::replica
