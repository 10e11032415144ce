#include "pastry/replica/memory_store.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace pastry::replica {

namespace {

// What an entry costs beside its bytes: key, version, digest.
constexpr std::uint64_t kEntryOverhead = 128;

constexpr StoreName first_name() { return {}; }
constexpr StoreName last_name() {
  StoreName name;
  name.bytes.fill(0xff);
  return name;
}

}  // namespace

void MemoryStore::apply(std::span<const StorageRequest> requests,
                        std::vector<StorageCompletion>& completions) {
  for (const StorageRequest& request : requests) {
    auto result = std::visit([&](const auto& operation) { return run(request.node, operation); },
                             request.operation);
    if (!result && result.error().code == ErrorCode::corrupt) ++counters_.corrupt;
    if (!result && result.error().code == ErrorCode::full) ++counters_.refused_full;
    completions.push_back({request.node, request.application, request.tag, std::move(result)});
  }
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StorePut& put) {
  if (auto checked = check_put(put, options_.value_max, *hash_); !checked) {
    return tl::unexpected(checked.error());
  }
  const EntryKey key{node, put.name};
  const auto found = entries_.find(key);
  const std::uint64_t current = found == entries_.end() ? 0 : found->second.version;
  if (auto applies = check_condition(put, current); !applies) {
    return tl::unexpected(applies.error());
  }
  Record record{put.version, put.meta, put.value, put.digest};
  const std::uint64_t freed = found == entries_.end() ? 0 : cost(found->second);
  const std::uint64_t wanted = cost(record);
  const std::uint64_t kept = used_bytes_ - freed;
  if (wanted > freed && (kept > options_.capacity_bytes || wanted > options_.capacity_bytes - kept))
    return tl::unexpected(store_full(wanted, used_bytes_, options_.capacity_bytes));
  used_bytes_ = kept + wanted;
  ++counters_.puts;
  counters_.bytes_written += put.value.size();
  entries_.insert_or_assign(key, std::move(record));
  return StorePutDone{};
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreGet& get) {
  const auto found = entries_.find(EntryKey{node, get.name});
  if (found == entries_.end()) return tl::unexpected(no_such_entry(get.name));
  StoreGetDone done{entry_of(found->first, found->second), {}};
  const ReadRange range = clip(get, done.entry.size);
  if (range.length > 0) done.value = found->second.value.part(range.offset, range.length);
  if (range.whole) {
    auto matches = check_read(done.entry, done.value.view(), *hash_);
    if (!matches) return tl::unexpected(matches.error());
  }
  ++counters_.gets;
  counters_.bytes_read += range.length;
  return done;
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreErase& erase) {
  const auto found = entries_.find(EntryKey{node, erase.name});
  ++counters_.erases;
  if (found == entries_.end()) return StoreEraseDone{false};
  used_bytes_ -= cost(found->second);
  entries_.erase(found);
  return StoreEraseDone{true};
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreScan& scan) const {
  if (scan.limit == 0) return fail(ErrorCode::invalid, "the limit of a scan must be 1 or more");
  const std::size_t limit = std::min(scan.limit, kScanMax);
  StoreScanDone done;
  bool complete = true;
  if (scan.from <= scan.to) {
    complete = collect(node, scan.from, scan.to, limit, done.entries);
  } else {
    complete = collect(node, scan.from, last_name(), limit, done.entries) &&
               collect(node, first_name(), scan.to, limit, done.entries);
  }
  done.more = !complete;
  return done;
}

bool MemoryStore::collect(const NodeId& node, const StoreName& from, const StoreName& to,
                          std::size_t limit, std::vector<StoreEntry>& entries) const {
  const EntryKey end{node, to};
  for (auto it = entries_.lower_bound(EntryKey{node, from});
       it != entries_.end() && it->first <= end; ++it) {
    if (entries.size() >= limit) return false;
    entries.push_back(entry_of(it->first, it->second));
  }
  return true;
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreUsage&) const {
  StoreUsageDone done{used_bytes_, options_.capacity_bytes, 0};
  const EntryKey end{node, last_name()};
  for (auto it = entries_.lower_bound(EntryKey{node, first_name()});
       it != entries_.end() && it->first <= end; ++it) {
    ++done.entries;
  }
  return done;
}

Result<StoreOutcome> MemoryStore::run(const NodeId&, const ComputeDigest& compute) const {
  return ComputeDigestDone{hash_->digest(compute.bytes.view())};
}

bool MemoryStore::corrupt_value(const NodeId& node, const StoreName& name, std::size_t bit) {
  const auto found = entries_.find(EntryKey{node, name});
  if (found == entries_.end() || bit / 8 >= found->second.value.size()) return false;
  const ByteView old = found->second.value.view();
  Bytes bytes(old.begin(), old.end());
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
  found->second.value = Payload(std::move(bytes));
  return true;
}

void MemoryStore::wipe() {
  entries_.clear();
  used_bytes_ = 0;
}

StoreEntry MemoryStore::entry_of(const EntryKey& key, const Record& record) {
  return {key.name, record.version, record.value.size(), record.meta, record.digest};
}

std::uint64_t MemoryStore::cost(const Record& record) {
  return record.value.size() + record.meta.size() + kEntryOverhead;
}

}  // namespace pastry::replica
