// The n-th call to the disk fails, for every n: nothing acknowledged is lost, nothing crashes.
//
// LMDB's calls are replaced by functions of this program that fail when told to.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>

#include "pastry/replica/lmdb_store.h"
#include "tests/store/store_fixture.h"

namespace {

// Fails calls number `first` to `last` of those made while armed.
struct DiskFault {
  bool armed = false;
  bool short_write = false;  // writes half instead of failing
  bool only_allocation = false;
  int error = EIO;
  int first = 0;
  int last = 0;
  int calls = 0;

  bool hits(bool allocation = false) {
    if (!armed || (only_allocation && !allocation)) return false;
    const int call = calls++;
    return call >= first && call <= last;
  }
};
DiskFault disk;

ssize_t refuse() {
  errno = disk.error;
  return -1;
}

}  // namespace

// Under the names that the libraries call; both of each pair are one function on 64-bit systems.
extern "C" {

ssize_t faulty_pwrite(int fd, const void* bytes, size_t size, off_t offset) __asm__("pwrite");
ssize_t faulty_pwrite64(int fd, const void* bytes, size_t size, off_t offset) __asm__("pwrite64");
ssize_t faulty_writev(int fd, const struct iovec* parts, int count) __asm__("writev");
int faulty_fdatasync(int fd) __asm__("fdatasync");
int faulty_fallocate(int fd, int mode, off_t offset, off_t size) __asm__("fallocate");
int faulty_fallocate64(int fd, int mode, off_t offset, off_t size) __asm__("fallocate64");

ssize_t faulty_pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (disk.hits()) {
    if (!disk.short_write || size < 2) return refuse();
    size /= 2;
  }
  return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t faulty_pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
  return faulty_pwrite(fd, bytes, size, offset);
}

ssize_t faulty_writev(int fd, const struct iovec* parts, int count) {
  if (disk.hits()) {
    if (!disk.short_write) return refuse();
    return syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len / 2);
  }
  return syscall(SYS_writev, fd, parts, count);
}

int faulty_fdatasync(int fd) {
  if (disk.hits() && !disk.short_write) return static_cast<int>(refuse());
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

int faulty_fallocate(int fd, int mode, off_t offset, off_t size) {
  if (disk.hits(true) && !disk.short_write) return static_cast<int>(refuse());
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
}

int faulty_fallocate64(int fd, int mode, off_t offset, off_t size) {
  return faulty_fallocate(fd, mode, offset, size);
}

}  // extern "C"

namespace store_test {
namespace {

std::unique_ptr<replica::LmdbStore> open(const std::filesystem::path& directory) {
  replica::LmdbStoreOptions options;
  options.directory = directory;
  options.reserve_bytes = 1U << 20;
  auto store = replica::LmdbStore::open(quick_hash(), options);
  REQUIRE(store.has_value());
  return std::move(*store);
}

// What entries may hold: the acknowledged version, or a later one that was not acknowledged.
struct Expectation {
  std::uint64_t acknowledged = 0;  // 0: no entry
  std::uint64_t attempted = 0;
};
using Expectations = std::map<StoreName, Expectation>;

Bytes value_of(const StoreName& name, std::uint64_t version) {
  return pattern(version % 2 == 0 ? 300 : 70000,
                 static_cast<std::uint8_t>(name.bytes[0] + version));
}

void put_batch(Store& store, std::uint64_t version, Expectations& expected) {
  std::vector<StorageRequest> requests;
  for (std::uint8_t first = 0; first < 4; ++first) {
    const StoreName name = name_at(first);
    requests.push_back(request_of(put_of(name, version, value_of(name, version))));
    expected[name].attempted = version;
  }
  std::vector<StorageCompletion> completions;
  store.apply(requests, completions);
  REQUIRE(completions.size() == requests.size());
  for (std::size_t i = 0; i < completions.size(); ++i) {
    if (completions[i].result) {
      expected[std::get<StorePut>(requests[i].operation).name].acknowledged = version;
    } else {
      const ErrorCode code = error_of(completions[i].result);
      CHECK((code == ErrorCode::failed || code == ErrorCode::full));
    }
  }
}

void check(Store& store, const Expectations& expected) {
  for (const auto& [name, expectation] : expected) {
    const auto result = apply_one(store, StoreGet{name});
    if (!result) {
      CHECK(error_of(result) == ErrorCode::not_found);
      CHECK(expectation.acknowledged == 0);
      continue;
    }
    const auto got = done<StoreGetDone>(result);
    CHECK(got.entry.version >= expectation.acknowledged);
    CHECK(got.entry.version <= expectation.attempted);
    CHECK(got.value == Payload(value_of(name, got.entry.version)));
  }
}

// Returns whether the fault was reached.
bool run_with_fault(const DiskFault& fault) {
  TemporaryDirectory directory;
  Expectations expected;
  {
    const auto store = open(directory.path());
    put_batch(*store, 1, expected);
    for (const auto& [name, expectation] : expected) CHECK(expectation.acknowledged == 1);
    disk = fault;
    disk.armed = true;
    put_batch(*store, 2, expected);
    put_batch(*store, 3, expected);
    const bool reached = disk.calls > fault.first;
    disk = {};
    if (!reached) return false;
    put_batch(*store, 4, expected);
    const auto still_there = apply_one(*store, StoreGet{name_at(0)});
    CHECK((still_there || error_of(still_there) == ErrorCode::failed));
  }
  const auto store = open(directory.path());
  check(*store, expected);
  put_batch(*store, 5, expected);
  for (const auto& [name, expectation] : expected) CHECK(expectation.acknowledged == 5);
  check(*store, expected);
  return true;
}

void run_with_every_fault(DiskFault fault, bool lasting) {
  int n = 0;
  do {
    CAPTURE(n);
    fault.first = n;
    fault.last = lasting ? 1 << 20 : n;
  } while (run_with_fault(fault) && ++n < 200);
  CHECK(n >= 4);
  CHECK(n < 200);
}

TEST_CASE("the n-th disk call fails once") {
  for (const int error : {EIO, ENOSPC}) {
    CAPTURE(error);
    DiskFault fault;
    fault.error = error;
    run_with_every_fault(fault, false);
  }
}

TEST_CASE("from the n-th on every disk call fails") {
  for (const int error : {EIO, ENOSPC}) {
    CAPTURE(error);
    DiskFault fault;
    fault.error = error;
    run_with_every_fault(fault, true);
  }
}

TEST_CASE("the n-th write is short") {
  DiskFault fault;
  fault.short_write = true;
  run_with_every_fault(fault, false);
}

TEST_CASE("a failed sync is not repeated and trusted") {
  TemporaryDirectory directory;
  const auto store = open(directory.path());
  put(*store, put_of(name_at(1), 1, {1}));
  disk.armed = true;
  disk.last = 1 << 20;
  CHECK(error_of(apply_one(*store, put_of(name_at(2), 1, {2}))) == ErrorCode::failed);
  disk = {};
  CHECK(error_of(apply_one(*store, put_of(name_at(2), 1, {2}))) == ErrorCode::failed);
  CHECK(error_of(apply_one(*store, StoreErase{name_at(1)})) == ErrorCode::failed);
  CHECK(get(*store, name_at(1)).entry.version == 1);
}

TEST_CASE("a full disk refuses puts with full, erases go on, and puts once there is room") {
  TemporaryDirectory directory;
  const auto store = open(directory.path());
  for (std::uint8_t first = 0; first < 4; ++first) {
    put(*store, put_of(name_at(first), 1, pattern(200000, first)));
  }
  disk.armed = true;
  disk.only_allocation = true;
  disk.error = ENOSPC;
  disk.last = 1 << 20;
  int stored = 4;
  Result<StoreOutcome> last = StorePutDone{};
  while (stored < 250) {
    const auto first = static_cast<std::uint8_t>(stored);
    last = apply_one(*store, put_of(name_at(first), 1, pattern(200000, first)));
    if (!last) break;
    ++stored;
  }
  CHECK(error_of(last) == ErrorCode::full);
  CHECK(stored > 4);
  CHECK(get(*store, name_at(0)).value == Payload(pattern(200000, 0)));
  for (std::uint8_t first = 0; first < 8; ++first) {
    CHECK(done<StoreEraseDone>(apply_one(*store, StoreErase{name_at(first)})).existed);
  }
  put(*store, put_of(name_at(0), 1, pattern(200000, 1)));
  disk = {};
  for (std::uint8_t first = 0; first < 8; ++first) {
    put(*store, put_of(name_at(first), 2, pattern(200000, first)));
  }
}

}  // namespace
}  // namespace store_test
