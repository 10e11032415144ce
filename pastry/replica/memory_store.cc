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

const MemoryStore::Contents& MemoryStore::contents() const {
  static const Contents nothing;
  return contents_ ? *contents_ : nothing;
}

MemoryStore::Contents& MemoryStore::contents() {
  if (!contents_) contents_ = std::make_unique<Contents>();
  return *contents_;
}

void MemoryStore::apply(std::span<const StorageRequest> requests,
                        std::vector<StorageCompletion>& completions) {
  for (const StorageRequest& request : requests) {
    auto result = std::visit([&](const auto& operation) { return run(request.node, operation); },
                             request.operation);
    if (!result && result.error().code == ErrorCode::corrupt) ++contents().counters.corrupt;
    if (!result && result.error().code == ErrorCode::full) ++contents().counters.refused_full;
    completions.push_back({request.node, request.application, request.tag, std::move(result)});
  }
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StorePut& put) {
  if (auto checked = check_put(put, options_.value_max, *hash_); !checked) {
    return tl::unexpected(checked.error());
  }
  Contents& all = contents();
  const EntryKey key{node, put.name};
  const auto found = all.entries.find(key);
  const std::uint64_t current = found == all.entries.end() ? 0 : found->second.version;
  if (auto applies = check_condition(put, current); !applies) {
    return tl::unexpected(applies.error());
  }
  Record record{put.version, put.meta, put.value, put.digest};
  const std::uint64_t freed = found == all.entries.end() ? 0 : cost(found->second);
  const std::uint64_t wanted = cost(record);
  const std::uint64_t kept = all.used_bytes - freed;
  if (wanted > freed && (kept > options_.capacity_bytes || wanted > options_.capacity_bytes - kept))
    return tl::unexpected(store_full(wanted, all.used_bytes, options_.capacity_bytes));
  all.used_bytes = kept + wanted;
  ++all.counters.puts;
  all.counters.bytes_written += put.value.size();
  all.entries.insert_or_assign(key, std::move(record));
  return StorePutDone{};
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreGet& get) {
  Contents& all = contents();
  const auto found = all.entries.find(EntryKey{node, get.name});
  if (found == all.entries.end()) return tl::unexpected(no_such_entry(get.name));
  StoreGetDone done{entry_of(found->first, found->second), {}};
  const ReadRange range = clip(get, done.entry.size);
  if (range.length > 0) done.value = found->second.value.part(range.offset, range.length);
  if (range.whole && get.check) {
    auto matches = check_read(done.entry, done.value.view(), *hash_);
    if (!matches) return tl::unexpected(matches.error());
  }
  ++all.counters.gets;
  all.counters.bytes_read += range.length;
  return done;
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreErase& erase) {
  Contents& all = contents();
  const auto found = all.entries.find(EntryKey{node, erase.name});
  ++all.counters.erases;
  if (found == all.entries.end()) return StoreEraseDone{false};
  all.used_bytes -= cost(found->second);
  all.entries.erase(found);
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
  const Entries& all = contents().entries;
  const EntryKey end{node, to};
  for (auto it = all.lower_bound(EntryKey{node, from}); it != all.end() && it->first <= end; ++it) {
    if (entries.size() >= limit) return false;
    entries.push_back(entry_of(it->first, it->second));
  }
  return true;
}

Result<StoreOutcome> MemoryStore::run(const NodeId& node, const StoreUsage&) const {
  const Contents& all = contents();
  StoreUsageDone done{all.used_bytes, options_.capacity_bytes, 0};
  const EntryKey end{node, last_name()};
  for (auto it = all.entries.lower_bound(EntryKey{node, first_name()});
       it != all.entries.end() && it->first <= end; ++it) {
    ++done.entries;
  }
  return done;
}

Result<StoreOutcome> MemoryStore::run(const NodeId&, const ComputeDigest& compute) const {
  return ComputeDigestDone{hash_->digest(compute.bytes.view())};
}

bool MemoryStore::corrupt_value(const NodeId& node, const StoreName& name, std::size_t bit) {
  Entries& all = contents().entries;
  const auto found = all.find(EntryKey{node, name});
  if (found == all.end() || bit / 8 >= found->second.value.size()) return false;
  const ByteView old = found->second.value.view();
  Bytes bytes(old.begin(), old.end());
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
  found->second.value = Payload(std::move(bytes));
  return true;
}

void MemoryStore::wipe() {
  if (!contents_) return;
  contents_->entries.clear();
  contents_->used_bytes = 0;
}

StoreEntry MemoryStore::entry_of(const EntryKey& key, const Record& record) {
  return {key.name, record.version, record.value.size(), record.meta, record.digest};
}

std::uint64_t MemoryStore::cost(const Record& record) {
  return record.value.size() + record.meta.size() + kEntryOverhead;
}

}  // namespace pastry::replica
