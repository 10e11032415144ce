#include "pastry/replica/store_format.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "pastry/replica/directory_lock.h"

namespace pastry::replica {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMagicLine = "pastry store";
constexpr std::size_t kMarkerMax = 4096;

std::string marker_text(const std::string& owner) {
  return std::string(kMagicLine) + "\nformat " + std::to_string(kStoreFormat) + "\nowner " + owner +
         "\n";
}

// The value of the line `key value`, or nothing.
std::string line_value(const std::string& text, const std::string& key) {
  const std::size_t at = text.find("\n" + key + " ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

Result<void> check_marker(const fs::path& path, const std::string& owner) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return tl::unexpected(file_error("cannot read", path, errno));
  std::string text(kMarkerMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (!text.starts_with(std::string(kMagicLine) + "\n")) {
    return fail(ErrorCode::corrupt, path.string() + " is not the mark of a Pastry store");
  }
  const std::string format = line_value(text, "format");
  if (format != std::to_string(kStoreFormat)) {
    return fail(ErrorCode::incompatible, path.string() + ": the store has format version '" +
                                             format + "', this program reads version " +
                                             std::to_string(kStoreFormat));
  }
  const std::string kept = line_value(text, "owner");
  if (!owner.empty() && !kept.empty() && kept != owner) {
    return fail(ErrorCode::conflict, path.parent_path().string() +
                                         ": the store belongs to another node: " + kept + ", not " +
                                         owner);
  }
  return {};
}

// LMDB 0.9's meta page (on 64-bit systems): 16 bytes of page header, then magic, version, map
// address and size, two tree descriptions of 48 bytes, last page in use, transaction.
constexpr std::size_t kMetaBytes = 152;
constexpr std::uint32_t kLmdbMagic = 0xBEEFC0DE;

template <typename T>
T field(const std::array<char, kMetaBytes>& meta, std::size_t at) {
  T value;
  std::memcpy(&value, meta.data() + at, sizeof value);
  return value;
}

// LMDB maps what its meta page promises; a shorter file would end the process with a signal.
Result<void> check_data(const fs::path& path, std::uint64_t size) {
  const auto damaged = [&](const char* how) {
    return fail(ErrorCode::corrupt, path.string() + " is damaged (" + how +
                                        "); remove it to start with an empty store");
  };
  std::ifstream file(path, std::ios::binary);
  std::array<char, kMetaBytes> meta{};
  if (!file.read(meta.data(), kMetaBytes)) return damaged("too short");
  if (field<std::uint32_t>(meta, 16) != kLmdbMagic) return damaged("not an LMDB file");
  const std::uint64_t page_bytes = field<std::uint32_t>(meta, 40);
  if (page_bytes < 256 || page_bytes > 65536) return damaged("impossible page size");
  std::uint64_t last_page = field<std::uint64_t>(meta, 136);
  const auto transaction = field<std::uint64_t>(meta, 144);
  file.seekg(static_cast<std::streamoff>(page_bytes));
  if (!file.read(meta.data(), kMetaBytes)) return damaged("too short");
  if (field<std::uint32_t>(meta, 16) != kLmdbMagic) return damaged("not an LMDB file");
  if (field<std::uint64_t>(meta, 144) > transaction) last_page = field<std::uint64_t>(meta, 136);
  if (last_page >= size / page_bytes) return damaged("truncated");
  return {};
}

}  // namespace

Result<StoreFiles> check_store_files(const fs::path& directory, const std::string& owner) {
  if (owner.find('\n') != std::string::npos || owner.size() > 256) {
    return fail(ErrorCode::invalid, "the owner of a store must be one line of at most 256 bytes");
  }
  StoreFiles files{directory / "data.mdb", directory / "data.mdb.new", false};
  const fs::path marker = directory / "store";
  std::error_code ignored;
  const bool marked = fs::exists(marker, ignored);
  const std::uint64_t size = fs::file_size(files.data, ignored);
  files.data_exists = !ignored;
  if (marked) {
    if (auto checked = check_marker(marker, owner); !checked) {
      return tl::unexpected(checked.error());
    }
  } else if (files.data_exists) {
    return fail(ErrorCode::corrupt, directory.string() +
                                        " has a data.mdb but no file 'store': not the directory of "
                                        "a Pastry store, or damaged");
  } else if (auto written = replace_file(marker, marker_text(owner)); !written) {
    return tl::unexpected(written.error());
  }
  if (files.data_exists) {
    if (auto whole = check_data(files.data, size); !whole) return tl::unexpected(whole.error());
  }
  fs::remove(files.pending, ignored);
  return files;
}

}  // namespace pastry::replica
