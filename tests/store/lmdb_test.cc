// What the durable engine promises beyond the others: its directory, restarts, crashes, bad disks.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "pastry/replica/directory_lock.h"
#include "pastry/replica/lmdb_store.h"
#include "tests/store/store_fixture.h"

namespace store_test {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<replica::LmdbStore>> try_open(const fs::path& directory,
                                                     const std::string& owner = "") {
  replica::LmdbStoreOptions options;
  options.directory = directory;
  options.owner = owner;
  options.reserve_bytes = 1U << 20;
  return replica::LmdbStore::open(quick_hash(), options);
}

std::unique_ptr<replica::LmdbStore> open(const fs::path& directory, const std::string& owner = "") {
  auto store = try_open(directory, owner);
  const std::string message = store ? std::string() : store.error().message;
  REQUIRE_MESSAGE(store.has_value(), message);
  return std::move(*store);
}

// The refusal is one clear line that names the directory.
ErrorCode refusal(const fs::path& directory, const std::string& owner = "") {
  const auto store = try_open(directory, owner);
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().message.find(directory.filename().string()) != std::string::npos);
  CHECK(store.error().message.find('\n') == std::string::npos);
  return store.error().code;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

void fill(const fs::path& directory, int entries) {
  const auto store = open(directory, "node 7");
  for (int i = 0; i < entries; ++i) {
    const auto first = static_cast<std::uint8_t>(i);
    put(*store, put_of(name_at(first), 1, pattern(30000, first)));
  }
}

TEST_CASE("what was put is there after a restart") {
  TemporaryDirectory directory;
  CHECK(open(directory.path(), "node 7")->fresh());
  fill(directory.path(), 20);
  const auto store = open(directory.path(), "node 7");
  CHECK_FALSE(store->fresh());
  for (int i = 0; i < 20; ++i) {
    const auto first = static_cast<std::uint8_t>(i);
    CHECK(get(*store, name_at(first)).value == Payload(pattern(30000, first)));
  }
  CHECK(done<StoreUsageDone>(apply_one(*store, StoreUsage{})).entries == 20);
}

TEST_CASE("one batch is one commit of two syncs; reading syncs nothing") {
  TemporaryDirectory directory;
  const auto store = open(directory.path());
  std::vector<StorageRequest> requests;
  for (int i = 0; i < 50; ++i) {
    requests.push_back(request_of(put_of(name_at(static_cast<std::uint8_t>(i)), 1, {1})));
  }
  std::vector<StorageCompletion> completions;
  store->apply(requests, completions);
  CHECK(store->counters().puts == 50);
  CHECK(store->counters().commits == 1);
  CHECK(store->counters().syncs == 2);
  get(*store, name_at(3));
  apply_one(*store, StoreUsage{});
  CHECK(error_of(apply_one(*store, put_of(name_at(1), 0, {}))) == ErrorCode::invalid);
  CHECK_FALSE(done<StoreEraseDone>(apply_one(*store, StoreErase{name_at(99)})).existed);
  CHECK(store->counters().syncs == 2);
}

TEST_CASE("a batch above the commit limit is committed in parts") {
  TemporaryDirectory directory;
  replica::LmdbStoreOptions options;
  options.directory = directory.path();
  options.commit_bytes_max = 100000;
  const auto store = replica::LmdbStore::open(quick_hash(), options);
  REQUIRE(store.has_value());
  std::vector<StorageRequest> requests;
  for (int i = 0; i < 10; ++i) {
    const auto first = static_cast<std::uint8_t>(i);
    requests.push_back(request_of(put_of(name_at(first), 1, pattern(40000, first))));
  }
  std::vector<StorageCompletion> completions;
  (*store)->apply(requests, completions);
  REQUIRE(completions.size() == 10);
  CHECK((*store)->counters().commits == 4);
  CHECK(get(**store, name_at(9)).value == Payload(pattern(40000, 9)));
}

TEST_CASE("one user per directory") {
  TemporaryDirectory directory;
  {
    const auto store = open(directory.path());
    CHECK(refusal(directory.path()) == ErrorCode::conflict);
    CHECK(try_open(directory.path()).error().message.find("in use") != std::string::npos);
  }
  open(directory.path());
}

TEST_CASE("a directory that cannot be used is refused") {
  TemporaryDirectory directory;
  write_file(directory.path() / "file", "x");
  CHECK(refusal(directory.path() / "file") == ErrorCode::failed);
  const auto below = try_open(directory.path() / "file" / "below");
  REQUIRE_FALSE(below.has_value());
  CHECK(below.error().code == ErrorCode::failed);
  CHECK(try_open("/proc/pastry-store").error().code == ErrorCode::failed);
}

TEST_CASE("a missing directory is made, parents included") {
  TemporaryDirectory directory;
  CHECK(open(directory.path() / "a" / "b")->fresh());
}

TEST_CASE("the owner is kept and compared") {
  TemporaryDirectory directory;
  open(directory.path(), "node 7");
  open(directory.path(), "node 7");
  open(directory.path());
  CHECK(refusal(directory.path(), "node 8") == ErrorCode::conflict);
  CHECK(try_open(directory.path(), "node 8").error().message.find("belongs to another") !=
        std::string::npos);
  CHECK(try_open(directory.path(), "two\nlines").error().code == ErrorCode::invalid);
}

TEST_CASE("another format version, or what is no store, is refused and left alone") {
  TemporaryDirectory directory;
  fill(directory.path(), 3);
  const fs::path marker = directory.path() / "store";
  const std::string good = read_file(marker);
  write_file(marker, "pastry store\nformat 2\nowner node 7\n");
  CHECK(refusal(directory.path()) == ErrorCode::incompatible);
  for (const char* text : {"", "x", "pastry store", "\n\n\n"}) {
    write_file(marker, text);
    CHECK(refusal(directory.path()) == ErrorCode::corrupt);
  }
  write_file(marker, "pastry store\n");
  CHECK(refusal(directory.path()) == ErrorCode::incompatible);
  fs::remove(marker);
  CHECK(refusal(directory.path()) == ErrorCode::corrupt);
  write_file(marker, good);
  CHECK(get(*open(directory.path(), "node 7"), name_at(2)).entry.version == 1);
}

TEST_CASE("an emptied directory is a fresh store") {
  TemporaryDirectory directory;
  fill(directory.path(), 3);
  SUBCASE("everything") {
    for (const char* file : {"store", "data.mdb", "lock"}) fs::remove(directory.path() / file);
  }
  SUBCASE("the data") { fs::remove(directory.path() / "data.mdb"); }
  SUBCASE("while the data file was being made") {
    fs::rename(directory.path() / "data.mdb", directory.path() / "data.mdb.new");
  }
  const auto store = open(directory.path(), "node 7");
  CHECK(store->fresh());
  CHECK(error_of(apply_one(*store, StoreGet{name_at(1)})) == ErrorCode::not_found);
  put(*store, put_of(name_at(1), 1, {1}));
}

TEST_CASE("a truncated or overwritten data file is an error, never a crash") {
  TemporaryDirectory directory;
  fill(directory.path(), 20);
  const fs::path data = directory.path() / "data.mdb";
  const std::string good = read_file(data);
  for (const std::size_t size : {0, 1, 100, 4096, 8191, 8192, 12288, 300000}) {
    CAPTURE(size);
    write_file(data, good.substr(0, size));
    CHECK(refusal(directory.path()) == ErrorCode::corrupt);
  }
  const Bytes noise = pattern(1 << 20, 5);
  write_file(data, std::string(noise.begin(), noise.end()));
  CHECK(refusal(directory.path()) == ErrorCode::corrupt);
  write_file(data, std::string(1 << 20, '\0'));
  CHECK(refusal(directory.path()) == ErrorCode::corrupt);
  write_file(data, good);
  CHECK(get(*open(directory.path()), name_at(19)).value == Payload(pattern(30000, 19)));
}

TEST_CASE("a bit that flipped on the disk is noticed by whole reads") {
  TemporaryDirectory directory;
  fill(directory.path(), 3);
  std::string data = read_file(directory.path() / "data.mdb");
  const Bytes value = pattern(30000, 1);
  const std::size_t at = data.find(std::string(value.begin() + 100, value.begin() + 200));
  REQUIRE(at != std::string::npos);
  data[at] = static_cast<char>(data[at] ^ 4);
  write_file(directory.path() / "data.mdb", data);
  const auto store = open(directory.path());
  CHECK(error_of(apply_one(*store, StoreGet{name_at(1)})) == ErrorCode::corrupt);
  CHECK(store->counters().corrupt == 1);
  StoreGet unchecked{name_at(1)};
  unchecked.check = false;
  const auto damaged = apply_one(*store, unchecked);
  REQUIRE(damaged);
  CHECK(std::get<StoreGetDone>(*damaged).value != Payload(value));
  CHECK(store->counters().corrupt == 1);
  CHECK(get(*store, name_at(2)).value == Payload(pattern(30000, 2)));
  put(*store, put_of(name_at(1), 2, value));
  CHECK(get(*store, name_at(1)).value == Payload(value));
}

// A process that puts entries one batch after another and tells how many batches were acknowledged.
[[noreturn]] void put_for_ever(const fs::path& directory, int acknowledged) {
  auto store = try_open(directory);
  if (!store) _exit(1);
  for (std::uint32_t batch = 0;; ++batch) {
    std::vector<StorageRequest> requests;
    for (int i = 0; i < 4; ++i) {
      const auto first = static_cast<std::uint8_t>(batch * 4 + i);
      requests.push_back(request_of(put_of(name_at(first), batch + 1, pattern(20000, first))));
    }
    std::vector<StorageCompletion> completions;
    (*store)->apply(requests, completions);
    for (const auto& completion : completions) {
      if (!completion.result) _exit(2);
    }
    if (::write(acknowledged, &batch, sizeof batch) != sizeof batch) _exit(3);
  }
}

TEST_CASE("kill -9 while it writes: every acknowledged put is there") {
  TemporaryDirectory directory;
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) put_for_ever(directory.path(), ends[1]);
    close(ends[1]);
    std::uint32_t last = 0;
    for (int batches = 0; batches < 3 + 7 * round; ++batches) {
      REQUIRE(::read(ends[0], &last, sizeof last) == sizeof last);
    }
    kill(child, SIGKILL);
    for (std::uint32_t more = 0; ::read(ends[0], &more, sizeof more) == sizeof more;) last = more;
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    const auto store = open(directory.path());
    for (std::uint32_t batch = 0; batch <= last; ++batch) {
      for (int i = 0; i < 4; ++i) {
        const auto first = static_cast<std::uint8_t>(batch * 4 + i);
        const StoreGetDone got = get(*store, name_at(first));
        CHECK(got.entry.version % 64 == (batch + 1) % 64);
        CHECK(got.value == Payload(pattern(20000, first)));
      }
    }
    for (int i = 0; i < 256; ++i) {
      apply_one(*store, StoreErase{name_at(static_cast<std::uint8_t>(i))});
    }
  }
}

}  // namespace
}  // namespace store_test
