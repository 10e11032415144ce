#include "pastry/replica/lmdb_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace pastry::replica {

namespace {

// Steps in which the file is allocated ahead of use.
constexpr std::uint64_t kStepMin = 4U << 20;
constexpr std::uint64_t kStepMax = 256U << 20;
// What a commit writes beside the values: tree pages and the list of free pages.
constexpr std::uint64_t kCommitOverhead = 256U << 10;
// Values from this size on lie on pages of their own, whatever their neighbours.
constexpr std::uint64_t kLargeValue = 16U << 10;

// LMDB 0.9's page header: page number (8 bytes), padding (2), flags (2), number of pages (4).
constexpr std::size_t kPageHeader = 16;
constexpr std::uint16_t kOverflowPage = 0x04;

struct PageHeader {
  std::uint64_t number = 0;
  std::uint16_t flags = 0;
};

PageHeader page_header(const std::uint8_t* bytes) {
  PageHeader header;
  std::memcpy(&header.number, bytes, sizeof header.number);
  std::memcpy(&header.flags, bytes + 10, sizeof header.flags);
  return header;
}

bool read_fully(int fd, std::uint8_t* into, std::uint64_t length, std::uint64_t offset) {
  while (length > 0) {
    const ssize_t n = ::pread(fd, into, length, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;
    if (n <= 0) return false;
    into += n;
    offset += static_cast<std::uint64_t>(n);
    length -= static_cast<std::uint64_t>(n);
  }
  return true;
}

Error lmdb_error(const char* call, const std::filesystem::path& path, int error) {
  return {ErrorCode::failed, path.string() + ": " + call + ": " + mdb_strerror(error)};
}

}  // namespace

Result<std::unique_ptr<LmdbFile>> LmdbFile::open(const std::filesystem::path& path,
                                                 std::uint64_t capacity_bytes,
                                                 std::uint64_t reserve_bytes,
                                                 std::uint64_t commit_bytes) {
  std::unique_ptr<LmdbFile> file(new LmdbFile(path));
  file->reserve_bytes_ = reserve_bytes;
  // Above the quota: the reserve, what commits replace before its pages are free again, and gaps
  // that no value fits in. Address space only; the disk is claimed in steps.
  const std::uint64_t map_bytes =
      capacity_bytes + capacity_bytes / 8 + reserve_bytes + 3 * commit_bytes + kStepMin;
  if (auto opened = file->open_environment(map_bytes); !opened) {
    return tl::unexpected(opened.error());
  }
  if (auto opened = file->open_databases(); !opened) return tl::unexpected(opened.error());
  return file;
}

LmdbFile::~LmdbFile() {
  if (environment_ != nullptr) mdb_env_close(environment_);
}

Result<void> LmdbFile::open_environment(std::uint64_t map_bytes) {
  const std::uint64_t system_page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  map_bytes_ = (map_bytes + system_page - 1) / system_page * system_page;
  int error = mdb_env_create(&environment_);
  if (error == 0) error = mdb_env_set_maxdbs(environment_, 3);
  if (error == 0) error = mdb_env_set_mapsize(environment_, map_bytes_);
  // One process (our own lock), one thread at a time: LMDB's lock file has nothing to add. Read-
  // ahead only helps values, and those do not go through the map.
  const unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD;
  if (error == 0) error = mdb_env_open(environment_, path_.c_str(), flags, 0600);
  if (error != 0) return tl::unexpected(lmdb_error("mdb_env_open", path_, error));
  mdb_env_get_fd(environment_, &fd_);
  MDB_stat stat{};
  mdb_env_stat(environment_, &stat);
  page_bytes_ = stat.ms_psize;
  MDB_envinfo info{};
  mdb_env_info(environment_, &info);
  map_bytes_ = info.me_mapsize;  // larger than asked if the file holds more already
  struct stat file {};
  if (::fstat(fd_, &file) == 0) {
    allocated_bytes_ = std::min(static_cast<std::uint64_t>(file.st_size),
                                static_cast<std::uint64_t>(file.st_blocks) * 512);
  }
  return {};
}

Result<void> LmdbFile::open_databases() {
  LmdbTransaction transaction;
  int error = begin(true, transaction);
  if (error == 0) error = mdb_dbi_open(transaction.get(), "meta", MDB_CREATE, &meta_);
  if (error == 0) error = mdb_dbi_open(transaction.get(), "values", MDB_CREATE, &values_);
  if (error == 0) error = mdb_dbi_open(transaction.get(), "counts", MDB_CREATE, &counts_);
  if (error == 0) error = commit(std::move(transaction));
  if (error != 0) return tl::unexpected(lmdb_error("opening the databases", path_, error));
  return {};
}

int LmdbFile::begin(bool writable, LmdbTransaction& transaction) {
  MDB_txn* raw = nullptr;
  const int error = mdb_txn_begin(environment_, nullptr, writable ? 0 : MDB_RDONLY, &raw);
  transaction.reset(raw);
  return error;
}

int LmdbFile::commit(LmdbTransaction transaction) { return mdb_txn_commit(transaction.release()); }

std::uint64_t LmdbFile::used_bytes(MDB_txn* transaction) const {
  std::uint64_t pages = 0;
  for (const MDB_dbi dbi : {meta_, values_, counts_}) {
    MDB_stat stat{};
    if (mdb_stat(transaction, dbi, &stat) != 0) continue;
    pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
  }
  return pages * page_bytes_;
}

std::uint64_t LmdbFile::value_cost(std::uint64_t size) const {
  return (size + kPageHeader + page_bytes_ - 1) / page_bytes_ * page_bytes_;
}

bool LmdbFile::make_room(std::uint64_t bytes, bool single) {
  MDB_envinfo info{};
  mdb_env_info(environment_, &info);
  const std::uint64_t end = (info.me_last_pgno + 1) * page_bytes_;
  const std::uint64_t wanted = bytes + bytes / 16 + kCommitOverhead;
  const std::uint64_t least = end + wanted + reserve_bytes_;
  if (least <= allocated_bytes_) return true;
  const std::uint64_t step = std::clamp(end / 4, kStepMin, kStepMax);
  if (allocate(std::min(least + step, map_bytes_)) && least <= allocated_bytes_) return true;
  if (allocate(least)) return true;
  // The file cannot grow. What erased values left behind may do for one operation, as long as the
  // reserve is whole should that turn out to be too scattered.
  LmdbTransaction transaction;
  if (!single || end + reserve_bytes_ > allocated_bytes_ || begin(false, transaction) != 0) {
    return false;
  }
  const std::uint64_t used = used_bytes(transaction.get());
  return used < end && end - used >= 2 * wanted;
}

bool LmdbFile::allocate(std::uint64_t to_bytes) {
  if (to_bytes > map_bytes_) return false;
  if (to_bytes <= allocated_bytes_) return true;
  const std::uint64_t more = to_bytes - allocated_bytes_;
  if (can_allocate_) {
    int done = 0;
    do {
      done = ::fallocate(fd_, 0, static_cast<off_t>(allocated_bytes_), static_cast<off_t>(more));
    } while (done != 0 && errno == EINTR);
    if (done == 0) allocated_bytes_ = to_bytes;
    if (done == 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return done == 0;
    can_allocate_ = false;
  }
  // A file system that cannot allocate ahead: its free space is all there is to go by.
  struct statvfs space {};
  if (::fstatvfs(fd_, &space) != 0) return false;
  if (std::uint64_t{space.f_bavail} * space.f_frsize < more) return false;
  allocated_bytes_ = to_bytes;
  return true;
}

void LmdbFile::learn_map(const MDB_val& value) {
  const auto* header_bytes = static_cast<const std::uint8_t*>(value.mv_data) - kPageHeader;
  const PageHeader header = page_header(header_bytes);
  std::uint8_t on_disk[kPageHeader];
  if (header.flags != kOverflowPage || header.number >= map_bytes_ / page_bytes_ ||
      !read_fully(fd_, on_disk, kPageHeader, header.number * page_bytes_) ||
      std::memcmp(on_disk, header_bytes, kPageHeader) != 0) {
    return;
  }
  map_ = header_bytes - header.number * page_bytes_;
}

bool LmdbFile::file_offset(const MDB_val& value, std::uint64_t& offset) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(map_);
  const auto at = reinterpret_cast<std::uintptr_t>(value.mv_data);
  if (map_ == nullptr || at < begin || at - begin >= map_bytes_) return false;
  offset = at - begin;
  return offset % page_bytes_ == kPageHeader;
}

Result<Payload> LmdbFile::read(const MDB_val& value, std::uint64_t offset, std::uint64_t length,
                               bool committed) {
  if (length == 0) return Payload();
  const auto bytes = std::make_shared_for_overwrite<std::uint8_t[]>(length);
  const Payload result(bytes, ByteView(bytes.get(), length));
  if (value.mv_size >= kLargeValue) {
    if (map_ == nullptr && committed) learn_map(value);
    std::uint64_t begin = 0;
    if (file_offset(value, begin)) {
      if (read_fully(fd_, bytes.get(), length, begin + offset)) return result;
      return fail(ErrorCode::failed,
                  path_.string() + ": cannot read a value: " + std::strerror(errno));
    }
  }
  std::memcpy(bytes.get(), static_cast<const std::uint8_t*>(value.mv_data) + offset, length);
  return result;
}

bool LmdbFile::means_full(int error) const {
  if (error == MDB_MAP_FULL || error == MDB_TXN_FULL || error == ENOSPC || error == EDQUOT) {
    return true;
  }
  if (error != EIO) return false;
  struct statvfs space {};
  return ::fstatvfs(fd_, &space) == 0 && std::uint64_t{space.f_bavail} * space.f_frsize < kStepMin;
}

}  // namespace pastry::replica
