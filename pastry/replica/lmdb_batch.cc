#include "pastry/replica/lmdb_batch.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <variant>

#include "pastry/replica/store_rules.h"

namespace pastry::replica {

namespace {

// An entry of the sub-database `meta`: this, then the caller's meta data.
struct MetaHeader {
  std::uint64_t version = 0;
  std::uint64_t size = 0;
  std::uint64_t has_digest = 0;
  Digest digest{};
};
static_assert(sizeof(MetaHeader) == 56);

bool parse_meta(const MDB_val& value, const StoreName& name, StoreEntry& entry) {
  MetaHeader header;
  if (value.mv_size < sizeof header) return false;
  const auto* bytes = static_cast<const std::uint8_t*>(value.mv_data);
  std::memcpy(&header, bytes, sizeof header);
  entry.name = name;
  entry.version = header.version;
  entry.size = header.size;
  entry.meta.assign(bytes + sizeof header, bytes + value.mv_size);
  if (header.has_digest != 0) entry.digest = header.digest;
  return true;
}

template <typename T>
ByteView bytes_of(const T& object) {
  return {reinterpret_cast<const std::uint8_t*>(&object), sizeof object};
}

}  // namespace

LmdbBatch::NodeKey LmdbBatch::node_key(const NodeId& node) {
  NodeKey key;
  for (std::size_t i = 0; i < 8; ++i) {
    key[i] = static_cast<std::uint8_t>(node.high() >> (56 - 8 * i));
    key[8 + i] = static_cast<std::uint8_t>(node.low() >> (56 - 8 * i));
  }
  return key;
}

LmdbBatch::EntryKey LmdbBatch::entry_key(const NodeId& node, const StoreName& name) {
  EntryKey key;
  const NodeKey prefix = node_key(node);
  std::copy(name.bytes.begin(), name.bytes.end(),
            std::copy(prefix.begin(), prefix.end(), key.begin()));
  return key;
}

Result<StoreOutcome> LmdbBatch::run(const StorageRequest& request) {
  return std::visit([&](const auto& operation) { return run(request.node, operation); },
                    request.operation);
}

Result<StoreOutcome> LmdbBatch::run(const NodeId& node, const StorePut& put) {
  if (auto checked = check_put(put, limits_.value_max, *hash_); !checked) {
    return tl::unexpected(checked.error());
  }
  const EntryKey key = entry_key(node, put.name);
  const auto old = find(key, put.name);
  if (error_ != 0) return lost_error();
  const bool existed = old || old.error().code != ErrorCode::not_found;
  if (auto applies = check_condition(put, old ? old->version : 0); !applies) {
    return tl::unexpected(applies.error());
  }
  const std::uint64_t used = file_->used_bytes(transaction_);
  const std::uint64_t wanted = file_->value_cost(put.value.size());
  const std::uint64_t freed = old ? file_->value_cost(old->size) : 0;
  if (!room_ || (wanted > freed && used + wanted - freed > limits_.capacity_bytes)) {
    return tl::unexpected(store_full(wanted, used, limits_.capacity_bytes));
  }
  const MetaHeader header{put.version, put.value.size(), put.digest ? 1U : 0U,
                          put.digest.value_or(Digest{})};
  if (!write(file_->meta(), key, bytes_of(header), put.meta) ||
      !write(file_->values(), key, put.value.view(), {})) {
    return lost_error();
  }
  if (!existed) ++entries_added_[node_key(node)];
  return StorePutDone{};
}

Result<StoreOutcome> LmdbBatch::run(const NodeId& node, const StoreGet& wanted) {
  const EntryKey key = entry_key(node, wanted.name);
  auto entry = find(key, wanted.name);
  if (!entry) return tl::unexpected(entry.error());
  StoreGetDone done{std::move(*entry), {}};
  const ReadRange range = clip(wanted, done.entry.size);
  if (range.length == 0) return done;
  MDB_val value{};
  const int found = get(file_->values(), key, value);
  if (error_ != 0) return lost_error();
  if (found == MDB_NOTFOUND || value.mv_size != done.entry.size) {
    return fail(ErrorCode::corrupt,
                "entry " + wanted.name.hex() + ": the stored value is not what its meta data says");
  }
  auto bytes = file_->read(value, range.offset, range.length, !writable_);
  if (!bytes) return tl::unexpected(bytes.error());
  done.value = std::move(*bytes);
  if (range.whole && wanted.check) {
    auto matches = check_read(done.entry, done.value.view(), *hash_);
    if (!matches) return tl::unexpected(matches.error());
  }
  return done;
}

Result<StoreOutcome> LmdbBatch::run(const NodeId& node, const StoreErase& erase) {
  const EntryKey key = entry_key(node, erase.name);
  MDB_val ignored{};
  const int found = get(file_->meta(), key, ignored);
  if (error_ != 0) return lost_error();
  if (found == MDB_NOTFOUND) return StoreEraseDone{false};
  if (!remove(key)) return lost_error();
  --entries_added_[node_key(node)];
  return StoreEraseDone{true};
}

Result<StoreOutcome> LmdbBatch::run(const NodeId& node, const StoreScan& scan) {
  if (scan.limit == 0) return fail(ErrorCode::invalid, "the limit of a scan must be 1 or more");
  const std::size_t limit = std::min(scan.limit, kScanMax);
  const EntryKey from = entry_key(node, scan.from);
  const EntryKey to = entry_key(node, scan.to);
  StoreScanDone done;
  bool complete = true;
  if (scan.from <= scan.to) {
    complete = collect(from, to, limit, done);
  } else {
    StoreName last;
    last.bytes.fill(0xff);
    complete = collect(from, entry_key(node, last), limit, done) &&
               collect(entry_key(node, {}), to, limit, done);
  }
  if (error_ != 0) return lost_error();
  done.more = !complete;
  return done;
}

Result<StoreOutcome> LmdbBatch::run(const NodeId& node, const StoreUsage&) {
  const NodeKey key = node_key(node);
  std::int64_t entries = stored_count(key);
  if (error_ != 0) return lost_error();
  const auto added = entries_added_.find(key);
  if (added != entries_added_.end()) entries += added->second;
  return StoreUsageDone{file_->used_bytes(transaction_), limits_.capacity_bytes,
                        static_cast<std::uint64_t>(entries)};
}

Result<StoreOutcome> LmdbBatch::run(const NodeId&, const ComputeDigest& compute) {
  return ComputeDigestDone{hash_->digest(compute.bytes.view())};
}

void LmdbBatch::finish() {
  for (const auto& [node, added] : entries_added_) {
    if (added == 0) continue;
    const std::int64_t count = stored_count(node) + added;
    if (error_ != 0 || !write(file_->counts(), node, bytes_of(count), {})) return;
  }
}

int LmdbBatch::get(MDB_dbi dbi, std::span<const std::uint8_t> key, MDB_val& value) {
  MDB_val wanted = lmdb_value(key);
  const int error = mdb_get(transaction_, dbi, &wanted, &value);
  if (error != 0 && error != MDB_NOTFOUND) lost("mdb_get", error);
  return error;
}

std::int64_t LmdbBatch::stored_count(const NodeKey& node) {
  MDB_val value{};
  std::int64_t count = 0;
  if (get(file_->counts(), node, value) == 0 && value.mv_size == sizeof count) {
    std::memcpy(&count, value.mv_data, sizeof count);
  }
  return count;
}

Result<StoreEntry> LmdbBatch::find(const EntryKey& key, const StoreName& name) {
  MDB_val value{};
  const int found = get(file_->meta(), key, value);
  if (error_ != 0) return lost_error();
  if (found == MDB_NOTFOUND) return tl::unexpected(no_such_entry(name));
  StoreEntry entry;
  if (!parse_meta(value, name, entry)) {
    return fail(ErrorCode::corrupt, "entry " + name.hex() + ": its meta data is damaged");
  }
  return entry;
}

bool LmdbBatch::write(MDB_dbi dbi, std::span<const std::uint8_t> key, ByteView head,
                      ByteView tail) {
  MDB_val wanted = lmdb_value(key);
  MDB_val space{head.size() + tail.size(), nullptr};
  const int error = mdb_put(transaction_, dbi, &wanted, &space, MDB_RESERVE);
  if (error != 0) return lost("mdb_put", error);
  dirty_ = true;
  auto* into = static_cast<std::uint8_t*>(space.mv_data);
  into = std::copy(head.begin(), head.end(), into);
  std::copy(tail.begin(), tail.end(), into);
  return true;
}

bool LmdbBatch::remove(const EntryKey& key) {
  MDB_val wanted = lmdb_value(key);
  for (const MDB_dbi dbi : {file_->meta(), file_->values()}) {
    const int error = mdb_del(transaction_, dbi, &wanted, nullptr);
    if (error != 0 && error != MDB_NOTFOUND) return lost("mdb_del", error);
  }
  dirty_ = true;
  return true;
}

bool LmdbBatch::collect(const EntryKey& from, const EntryKey& to, std::size_t limit,
                        StoreScanDone& done) {
  MDB_cursor* raw = nullptr;
  int error = mdb_cursor_open(transaction_, file_->meta(), &raw);
  if (error != 0) return lost("mdb_cursor_open", error);
  const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(raw, &mdb_cursor_close);
  MDB_val key = lmdb_value(from);
  MDB_val value{};
  error = mdb_cursor_get(raw, &key, &value, MDB_SET_RANGE);
  for (; error == 0; error = mdb_cursor_get(raw, &key, &value, MDB_NEXT)) {
    if (key.mv_size != to.size() || std::memcmp(key.mv_data, to.data(), to.size()) > 0) return true;
    if (done.entries.size() >= limit) return false;
    StoreName name;
    std::memcpy(name.bytes.data(), static_cast<const std::uint8_t*>(key.mv_data) + sizeof(NodeKey),
                name.bytes.size());
    StoreEntry entry;
    // An entry whose meta data is damaged is not listed: this store no longer has it.
    if (parse_meta(value, name, entry)) done.entries.push_back(std::move(entry));
  }
  return error == MDB_NOTFOUND || lost("mdb_cursor_get", error);
}

bool LmdbBatch::lost(const char* call, int error) {
  call_ = call;
  error_ = error;
  return false;
}

tl::unexpected<Error> LmdbBatch::lost_error() const {
  return fail(ErrorCode::failed, std::string(call_) + ": " + mdb_strerror(error_));
}

}  // namespace pastry::replica
