// What every store engine decides alike: limits, put conditions, digests, clipping of reads.
#pragma once

#include <cstdint>
#include <optional>

#include "pastry/core/error.h"
#include "pastry/core/hash.h"
#include "pastry/core/storage.h"

namespace pastry::replica {

// Largest number of entries that one scan returns, whatever its limit says.
inline constexpr std::uint32_t kScanMax = 10000;

// Counters since an engine was opened; monotonic.
struct StoreCounters {
  std::uint64_t commits = 0;  // write transactions that succeeded
  std::uint64_t syncs = 0;    // calls that waited for the disk
  std::uint64_t puts = 0;     // acknowledged
  std::uint64_t erases = 0;   // acknowledged
  std::uint64_t gets = 0;
  std::uint64_t bytes_written = 0;   // values of acknowledged puts
  std::uint64_t bytes_read = 0;      // values handed out
  std::uint64_t corrupt = 0;         // digests that did not match, on put or on read
  std::uint64_t refused_full = 0;    // puts refused for lack of space
  std::uint64_t failed_commits = 0;  // batches that the disk refused as a whole
};

// Sizes, version and digest of a put. Errors: invalid, too_large, corrupt.
Result<void> check_put(const StorePut& put, std::uint64_t value_max, const Hash& hash);

// Whether the put applies to an entry of this version (0: there is none). Error: conflict.
Result<void> check_condition(const StorePut& put, std::uint64_t current_version);

// The part of a value of `size` bytes that a get asks for.
struct ReadRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool whole = false;
};
ReadRange clip(const StoreGet& get, std::uint64_t size);

// Whether the bytes of a whole read match the digest kept with them. Error: corrupt.
Result<void> check_read(const StoreEntry& entry, ByteView value, const Hash& hash);

Error no_such_entry(const StoreName& name);
Error store_full(std::uint64_t wanted_bytes, std::uint64_t used_bytes,
                 std::uint64_t capacity_bytes);

}  // namespace pastry::replica
