#include "past/file.h"

#include <capnp/message.h>

#include <algorithm>
#include <utility>

#include "past/past.capnp.h"
#include "pastry/replica/capnp_frame.h"

namespace past {

using pastry::ErrorCode;
using pastry::fail;

namespace {

constexpr std::uint64_t kBlockBytesMax = pastry::replica::kValueMax;
constexpr std::uint64_t kManifestEntriesMax = pastry::replica::kValueMax / kDigestBytes;

std::array<std::uint8_t, 8> little_endian(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  return bytes;
}

ByteView view(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

pastry::StoreName part_name(const Hash& hash, const FileId& file, std::uint8_t kind,
                            std::uint64_t index) {
  const auto number = little_endian(index);
  const std::array<ByteView, 3> parts = {ByteView(file.bytes), ByteView(&kind, 1),
                                         ByteView(number)};
  return {hash.digest(parts)};
}

capnp::Data::Reader as_data(ByteView bytes) { return {bytes.data(), bytes.size()}; }

std::uint64_t rounded_up(std::uint64_t value, std::uint64_t unit) {
  return value / unit + (value % unit != 0 ? 1 : 0);
}

Result<FileMeta> read(schema::File::Reader from) {
  FileMeta meta;
  const auto name = from.getName();
  const auto owner = from.getOwner();
  const auto salt = from.getSalt();
  meta.levels = from.getLevels();
  meta.size = from.getSize();
  meta.block_bytes = from.getBlockBytes();
  meta.manifest_entries = from.getManifestEntries();
  meta.replicas = from.getReplicas();
  const bool good = name.size() <= kFileNameMax && owner.size() <= kOwnerMax &&
                    salt.size() == meta.salt.size() && meta.levels <= 2 && meta.block_bytes > 0 &&
                    meta.block_bytes <= kBlockBytesMax && meta.manifest_entries > 0 &&
                    meta.manifest_entries <= kManifestEntriesMax && meta.replicas > 0;
  if (!good) return fail(ErrorCode::corrupt, "the entry is not a file");
  meta.name.assign(reinterpret_cast<const char*>(name.begin()), name.size());
  meta.owner.assign(owner.begin(), owner.end());
  std::copy(salt.begin(), salt.end(), meta.salt.begin());
  return meta;
}

}  // namespace

std::uint64_t FileMeta::blocks() const { return rounded_up(size, block_bytes); }

std::uint64_t FileMeta::leaves() const {
  return levels < 2 ? 0 : rounded_up(blocks(), manifest_entries);
}

Result<Bytes> encode(const FileMeta& meta) {
  capnp::MallocMessageBuilder builder(256);
  auto file = builder.initRoot<schema::File>();
  file.setLevels(meta.levels);
  file.setSize(meta.size);
  file.setBlockBytes(meta.block_bytes);
  file.setManifestEntries(meta.manifest_entries);
  file.setReplicas(meta.replicas);
  file.setName(as_data(view(meta.name)));
  file.setOwner(as_data(meta.owner));
  file.setSalt(as_data(meta.salt));
  return pastry::replica::frame_bytes(builder, {});
}

Result<FileMeta> decode(ByteView bytes) {
  auto parts = pastry::replica::split_frame(Payload::copy_of(bytes));
  if (!parts) return fail(ErrorCode::corrupt, "the entry is not a file");
  return pastry::replica::read_header<schema::File>(
      *parts, [](schema::File::Reader reader) { return read(reader); });
}

FileId file_id(const Hash& hash, const std::string& name, const Bytes& owner, const Salt& salt) {
  const auto name_size = little_endian(name.size());
  const auto owner_size = little_endian(owner.size());
  const std::array<ByteView, 5> parts = {ByteView(name_size), view(name), ByteView(owner_size),
                                         ByteView(owner), ByteView(salt)};
  return {hash.digest(parts)};
}

pastry::StoreName block_name(const Hash& hash, const FileId& file, std::uint64_t index) {
  return part_name(hash, file, 'b', index);
}

pastry::StoreName leaf_name(const Hash& hash, const FileId& file, std::uint64_t index) {
  return part_name(hash, file, 'm', index);
}

Digest digest_at(const Payload& list, std::uint64_t index) {
  const auto bytes =
      list.view().subspan(static_cast<std::size_t>(index) * kDigestBytes, kDigestBytes);
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

Result<FileInfo> file_info(const FileId& file, const pastry::replica::Blob& blob) {
  auto meta = decode(blob.meta);
  if (!meta) return tl::unexpected(meta.error());
  const std::uint64_t listed = meta->levels == 2 ? meta->leaves() : meta->blocks();
  const bool fits = meta->levels == 0 ? meta->size == blob.value.size()
                                      : listed <= kManifestEntriesMax &&
                                            listed * kDigestBytes == blob.value.size();
  if (!fits) return fail(ErrorCode::corrupt, "the file's size and its manifest do not match");
  FileInfo info;
  info.file_id = file;
  info.name = meta->name;
  info.owner = meta->owner;
  info.size = meta->size;
  info.block_bytes = meta->levels == 0 ? kBlockBytesMax : meta->block_bytes;
  info.blocks = meta->levels == 0 ? (meta->size == 0 ? 0 : 1) : meta->blocks();
  info.wanted = blob.wanted;
  auto manifest = std::make_shared<Manifest>();
  manifest->meta = std::move(*meta);
  manifest->value = blob.value;
  info.manifest = std::move(manifest);
  return info;
}

std::uint64_t block_size(const FileInfo& info, std::uint64_t index) {
  return std::min(info.block_bytes, info.size - index * info.block_bytes);
}

}  // namespace past
