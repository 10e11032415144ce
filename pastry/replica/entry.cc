#include "pastry/replica/entry.h"

#include <algorithm>

namespace pastry::replica {

namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

std::uint64_t mix_bytes(std::uint64_t hash, std::span<const std::uint8_t> bytes) {
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    for (std::size_t j = 0; j < 8; ++j) word = (word << 8) | bytes[i + j];
    hash = mix(hash, word);
  }
  return hash;
}

}  // namespace

std::uint64_t fingerprint(const EntryInfo& entry) {
  std::uint64_t hash = mix_bytes(0x5061737472790001ULL, entry.name.bytes);
  hash = mix(hash, entry.version * 2 + (entry.meta.tombstone ? 1 : 0));
  if (entry.digest) hash = mix_bytes(hash, *entry.digest);
  return hash;
}

Offered offered(const EntryInfo& entry) {
  return {entry.name,         entry.version,       entry.size,
          fingerprint(entry), entry.meta.replicas, entry.meta.tombstone};
}

bool same_write(const EntryInfo& a, const EntryInfo& b) {
  return a.version == b.version && a.meta.tombstone == b.meta.tombstone && a.digest == b.digest;
}

bool supersedes(const EntryInfo& a, const EntryInfo& b) {
  if (a.version != b.version) return a.version > b.version;
  if (a.meta.tombstone != b.meta.tombstone) return a.meta.tombstone;
  const std::uint64_t of_a = fingerprint(a);
  const std::uint64_t of_b = fingerprint(b);
  return of_a != of_b ? of_a > of_b : a.digest > b.digest;
}

bool supersedes(const EntryInfo& a, const Offered& b) {
  if (a.version != b.version) return a.version > b.version;
  if (a.meta.tombstone != b.tombstone) return a.meta.tombstone;
  return fingerprint(a) > b.fingerprint;
}

std::optional<StoreName> successor(const StoreName& name) {
  StoreName next = name;
  for (auto byte = next.bytes.rbegin(); byte != next.bytes.rend(); ++byte) {
    if (++*byte != 0) return next;
  }
  return std::nullopt;
}

StoreName first_name() { return {}; }

StoreName last_name() {
  StoreName name;
  name.bytes.fill(0xff);
  return name;
}

Result<EntryInfo> entry_info(const StoreEntry& entry) {
  auto meta = decode_meta(entry.meta);
  if (!meta) return tl::unexpected(meta.error());
  return EntryInfo{entry.name, entry.version, entry.size,
                   meta->tombstone ? std::nullopt : entry.digest, std::move(*meta)};
}

}  // namespace pastry::replica
