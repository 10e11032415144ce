// Entries as the replica layer sees them, and the rule that decides between two of one name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "pastry/core/storage.h"

namespace pastry::replica {

enum class EntryKind : std::uint8_t { blob = 0, record = 1 };

// Names one write, so that a repeated one is recognised. Random.
struct WriterId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const WriterId&, const WriterId&) = default;
};

struct EntryMeta {
  EntryKind kind = EntryKind::blob;
  bool tombstone = false;
  std::uint8_t replicas = 1;  // k
  std::optional<StoreName> parent;
  WriterId writer;
  std::int64_t created = 0;  // Unix seconds at the writer, at most kCreatedMax
  Bytes user;                // at most kUserMetaMax

  friend bool operator==(const EntryMeta&, const EntryMeta&) = default;
};

// An entry without its value.
struct EntryInfo {
  StoreName name;
  std::uint64_t version = 0;
  std::uint64_t size = 0;
  std::optional<Digest> digest;  // none: tombstone
  EntryMeta meta;

  friend bool operator==(const EntryInfo&, const EntryInfo&) = default;
};

// The version of a blob; its tombstone has a higher one.
inline constexpr std::uint64_t kBlobVersion = 1;
// No peer's version may come so high that it cannot be followed by others.
inline constexpr std::uint64_t kVersionMax = std::uint64_t{1} << 62;

// No time of writing lies so far ahead that arithmetic on it could overflow.
inline constexpr std::int64_t kCreatedMax = std::int64_t{1} << 40;

// One line of a comparison.
struct Offered {
  StoreName name;
  std::uint64_t version = 0;
  std::uint64_t size = 0;
  std::uint64_t fingerprint = 0;
  std::uint8_t replicas = 1;
  bool tombstone = false;

  friend bool operator==(const Offered&, const Offered&) = default;
};

// A 64-bit hash of name, version, tombstone flag and digest: equal entries, equal fingerprints.
std::uint64_t fingerprint(const EntryInfo& entry);

// Whether an entry that is held may have been removed or replaced without this node's knowledge.
struct Doubt {
  // Of copies in doubt; {0, 0}: whatever is held, {f, 0}: this one. What somebody only offered
  // casts no doubt on other copies: anybody may offer anything.
  using Fingerprints = std::array<std::uint64_t, 2>;

  bool any = false;
  Fingerprints fingerprints{};

  bool about(const EntryInfo& entry) const {
    if (!any || fingerprints[0] == 0) return any;
    const std::uint64_t own = fingerprint(entry);
    return own == fingerprints[0] || own == fingerprints[1];
  }
};
Offered offered(const EntryInfo& entry);

// Whether two entries of one name are the same write.
bool same_write(const EntryInfo& a, const EntryInfo& b);

// Whether `a` replaces `b` (same name): the higher version; at equal version a tombstone, then the
// greater fingerprint, then the greater digest. A total order on distinct writes, so that replicas
// converge, and one that the line of a comparison shows.
bool supersedes(const EntryInfo& a, const EntryInfo& b);
bool supersedes(const EntryInfo& a, const Offered& b);

// The name after this one; none after the last.
std::optional<StoreName> successor(const StoreName& name);
StoreName first_name();
StoreName last_name();

// Meta data as the store keeps them.
Result<Bytes> encode_meta(const EntryMeta& meta);
Result<EntryMeta> decode_meta(ByteView bytes);
// An entry of the store; invalid if its meta data are not this layer's.
Result<EntryInfo> entry_info(const StoreEntry& entry);

}  // namespace pastry::replica
