#include "pastry/replica/store_rules.h"

#include <algorithm>
#include <string>

namespace pastry::replica {

Result<void> check_put(const StorePut& put, std::uint64_t value_max, const Hash& hash) {
  if (put.version == 0) return fail(ErrorCode::invalid, "the version of a put must be 1 or more");
  if (put.meta.size() > kStoreMetaMax) {
    return fail(ErrorCode::too_large,
                "entry " + put.name.hex() + ": " + std::to_string(put.meta.size()) +
                    " bytes of meta, at most " + std::to_string(kStoreMetaMax) + " are allowed");
  }
  if (put.value.size() > value_max) {
    return fail(ErrorCode::too_large, "entry " + put.name.hex() + ": a value of " +
                                          std::to_string(put.value.size()) + " bytes, at most " +
                                          std::to_string(value_max) + " are allowed");
  }
  if (put.digest && hash.digest(put.value.view()) != *put.digest) {
    return fail(ErrorCode::corrupt,
                "entry " + put.name.hex() + ": the bytes do not match their digest");
  }
  return {};
}

Result<void> check_condition(const StorePut& put, std::uint64_t current_version) {
  const bool applies =
      put.condition == PutCondition::always ||
      (put.condition == PutCondition::if_newer && put.version > current_version) ||
      (put.condition == PutCondition::if_version && put.expected_version == current_version);
  if (applies) return {};
  return fail(ErrorCode::conflict, "entry " + put.name.hex() + " has version " +
                                       std::to_string(current_version) + " already");
}

ReadRange clip(const StoreGet& get, std::uint64_t size) {
  ReadRange range;
  if (!get.with_value) return range;
  range.offset = std::min(get.offset, size);
  range.length = std::min(get.length, size - range.offset);
  range.whole = range.length == size;
  return range;
}

Result<void> check_read(const StoreEntry& entry, ByteView value, const Hash& hash) {
  if (!entry.digest || hash.digest(value) == *entry.digest) return {};
  return fail(ErrorCode::corrupt,
              "entry " + entry.name.hex() + ": the stored bytes do not match their digest");
}

Error no_such_entry(const StoreName& name) {
  return {ErrorCode::not_found, "entry " + name.hex() + " is not in this store"};
}

Error store_full(std::uint64_t wanted_bytes, std::uint64_t used_bytes,
                 std::uint64_t capacity_bytes) {
  return {ErrorCode::full, "store full: " + std::to_string(used_bytes) + " of " +
                               std::to_string(capacity_bytes) + " bytes used, " +
                               std::to_string(wanted_bytes) + " wanted"};
}

}  // namespace pastry::replica
