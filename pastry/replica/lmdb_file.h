// One LMDB environment and the disk space under it: internal to the durable engine.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::replica {

struct LmdbTransactionEnd {
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
// Aborted unless committed.
using LmdbTransaction = std::unique_ptr<MDB_txn, LmdbTransactionEnd>;

inline MDB_val lmdb_value(ByteView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}

class LmdbFile {
 public:
  // Opens or makes the file. `capacity_bytes` is the soft quota, `reserve_bytes` what stays
  // allocated for erases, `commit_bytes` the largest transaction.
  static Result<std::unique_ptr<LmdbFile>> open(const std::filesystem::path& path,
                                                std::uint64_t capacity_bytes,
                                                std::uint64_t reserve_bytes,
                                                std::uint64_t commit_bytes);
  ~LmdbFile();
  LmdbFile(const LmdbFile&) = delete;
  LmdbFile& operator=(const LmdbFile&) = delete;

  MDB_dbi meta() const { return meta_; }      // node, name -> version, size, digest, meta data
  MDB_dbi values() const { return values_; }  // node, name -> value
  MDB_dbi counts() const { return counts_; }  // node -> number of entries

  // 0 or LMDB's error.
  int begin(bool writable, LmdbTransaction& transaction);
  int commit(LmdbTransaction transaction);

  // Bytes of the pages that the trees use as this transaction sees them.
  std::uint64_t used_bytes(MDB_txn* transaction) const;
  // Pages that a value of this size takes, in bytes.
  std::uint64_t value_cost(std::uint64_t size) const;

  // Makes sure that the disk has room for a transaction that writes `bytes`, with the reserve left
  // over. `single`: one operation, which may also go where erased values were.
  bool make_room(std::uint64_t bytes, bool single);

  // A part of a value that a get of a transaction returned; it must lie within it. `committed`: of
  // a read transaction, so that the value is surely in the file.
  Result<Payload> read(const MDB_val& value, std::uint64_t offset, std::uint64_t length,
                       bool committed);

  // Whether the error means that space ran out. LMDB reports a short write as EIO, so that one
  // means it too when the file system has nothing left.
  bool means_full(int error) const;

 private:
  explicit LmdbFile(std::filesystem::path path) : path_(std::move(path)) {}

  Result<void> open_environment(std::uint64_t map_bytes);
  Result<void> open_databases();
  bool allocate(std::uint64_t to_bytes);
  // Learns where the map begins from the page header in front of a large, committed value.
  void learn_map(const MDB_val& value);
  // The place of a value in the file, if it lies in the map at the start of a page of its own.
  bool file_offset(const MDB_val& value, std::uint64_t& offset) const;

  std::filesystem::path path_;
  MDB_env* environment_ = nullptr;
  int fd_ = -1;
  MDB_dbi meta_ = 0;
  MDB_dbi values_ = 0;
  MDB_dbi counts_ = 0;
  std::uint64_t page_bytes_ = 4096;
  std::uint64_t map_bytes_ = 0;
  std::uint64_t reserve_bytes_ = 0;
  std::uint64_t allocated_bytes_ = 0;
  bool can_allocate_ = true;
  const std::uint8_t* map_ = nullptr;
};

}  // namespace pastry::replica
