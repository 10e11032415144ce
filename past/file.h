// What is kept about a file, and the names of its parts.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "past/past.h"

namespace past {

using pastry::ByteView;
using pastry::Digest;
using pastry::Hash;

using Salt = std::array<std::uint8_t, 16>;

inline constexpr std::size_t kDigestBytes = 32;

// The meta data beside the value under the fileId; past.capnp.
struct FileMeta {
  std::uint8_t levels = 0;
  std::uint64_t size = 0;
  std::uint32_t block_bytes = 0;
  std::uint32_t manifest_entries = 0;
  std::uint8_t replicas = 0;
  std::string name;
  Bytes owner;
  Salt salt{};

  std::uint64_t blocks() const;
  // Manifests of blocks below the one under the fileId.
  std::uint64_t leaves() const;
};

Result<Bytes> encode(const FileMeta& meta);
// Errors: corrupt, also if the numbers contradict each other.
Result<FileMeta> decode(ByteView bytes);

FileId file_id(const Hash& hash, const std::string& name, const Bytes& owner, const Salt& salt);
pastry::StoreName block_name(const Hash& hash, const FileId& file, std::uint64_t index);
pastry::StoreName leaf_name(const Hash& hash, const FileId& file, std::uint64_t index);

// The value under the fileId with its meta data, checked against each other.
struct Manifest {
  FileMeta meta;
  Payload value;
  // The manifest of blocks that was used last (levels 2).
  mutable std::uint64_t leaf_index = UINT64_MAX;
  mutable Payload leaf;
};

// The digest at `index` of a value that is a list of them; the index must be in range.
Digest digest_at(const Payload& list, std::uint64_t index);
// Errors: corrupt.
Result<FileInfo> file_info(const FileId& file, const pastry::replica::Blob& blob);
// Of block `index` of the file.
std::uint64_t block_size(const FileInfo& info, std::uint64_t index);

}  // namespace past
