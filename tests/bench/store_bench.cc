// The durable store engine beside raw synced writes of the same bytes on the same disk.
//
// For each value size and batch size: puts through LmdbStore::apply (SHA-256 checked, one commit a
// batch), and the rival: pwrite of the same values one after another into a file that was allocated
// ahead, one fdatasync a batch. Both take turns, so that a disk that slows down slows both. Prints
// one JSON document; `ratio` is ours / rival in bytes per second.
//
//   bench_store [--directory DIR] [--mebibytes M]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pastry/identity/sha256.h"
#include "pastry/replica/lmdb_store.h"
#include "tests/bench/file_system.h"

namespace {

using namespace pastry;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr int kRounds = 4;
const NodeId kNode{1, 1};

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "bench_store: " << why << '\n';
  std::exit(1);
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

StoreName name_of(std::uint64_t number) {
  // Spread along the ring, as hashes are.
  StoreName name;
  std::uint64_t x = number * 0x9e3779b97f4a7c15ULL;
  for (std::size_t i = 0; i < 32; ++i, x = x * 0xd6e8feb86659fd93ULL + i) {
    name.bytes[i] = static_cast<std::uint8_t>(x >> 56);
  }
  return name;
}

// Values that differ, so that nothing can be saved by comparing them.
std::vector<Payload> make_values(std::size_t size, std::size_t count) {
  std::vector<Payload> values;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes bytes(size);
    for (auto& byte : bytes) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::uint8_t>(state >> 56);
    }
    values.emplace_back(std::move(bytes));
  }
  return values;
}

struct Figures {
  double seconds = 0;
  std::uint64_t operations = 0;
  std::vector<double> batch_seconds;

  void add(double batch, std::size_t count) {
    seconds += batch;
    operations += count;
    batch_seconds.push_back(batch);
  }
  double megabytes_per_second(std::size_t value_size) const {
    return static_cast<double>(operations * value_size) / seconds / 1e6;
  }
  nlohmann::json json(std::size_t value_size) {
    std::sort(batch_seconds.begin(), batch_seconds.end());
    return {{"operations_per_s", static_cast<double>(operations) / seconds},
            {"megabytes_per_s", megabytes_per_second(value_size)},
            {"batch_p50_ms", batch_seconds[batch_seconds.size() / 2] * 1e3},
            {"batch_p99_ms", batch_seconds[batch_seconds.size() * 99 / 100] * 1e3}};
  }
};

class Rival {
 public:
  Rival(const fs::path& path, std::size_t bytes)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0 || ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes)) != 0 || ::fsync(fd_) != 0) {
      give_up("cannot allocate " + path.string());
    }
  }
  ~Rival() { ::close(fd_); }

  void batch(std::span<const Payload> values, Figures& figures) {
    const auto begin = Clock::now();
    for (const Payload& value : values) {
      const auto size = static_cast<ssize_t>(value.size());
      if (::pwrite(fd_, value.view().data(), value.size(), at_) != size) give_up("pwrite failed");
      at_ += size;
    }
    if (::fdatasync(fd_) != 0) give_up("fdatasync failed");
    figures.add(seconds_since(begin), values.size());
  }

 private:
  int fd_;
  off_t at_ = 0;
};

class Ours {
 public:
  explicit Ours(const fs::path& directory) {
    replica::LmdbStoreOptions options;
    options.directory = directory;
    auto opened = replica::LmdbStore::open(hash_, options);
    if (!opened) give_up(opened.error().message);
    store_ = std::move(*opened);
  }

  void put_batch(std::span<const Payload> values, std::span<const Digest> digests,
                 Figures& figures) {
    std::vector<StorageRequest> requests;
    for (std::size_t i = 0; i < values.size(); ++i) {
      StorePut put;
      put.name = name_of(next_++);
      put.version = 1;
      put.value = values[i];
      put.digest = digests[i];
      requests.push_back({kNode, ApplicationId{1}, i, std::move(put)});
    }
    run(requests, figures);
  }

  void get_batch(std::uint64_t first, std::size_t count, Figures& figures) {
    std::vector<StorageRequest> requests;
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back({kNode, ApplicationId{1}, i, StoreGet{name_of(first + i)}});
    }
    run(requests, figures);
  }

  std::uint64_t stored() const { return next_; }
  const replica::StoreCounters& counters() const { return store_->counters(); }
  Digest digest(const Payload& value) const { return hash_.digest(value.view()); }

 private:
  void run(const std::vector<StorageRequest>& requests, Figures& figures) {
    std::vector<StorageCompletion> completions;
    const auto begin = Clock::now();
    store_->apply(requests, completions);
    figures.add(seconds_since(begin), requests.size());
    for (const StorageCompletion& completion : completions) {
      if (!completion.result) give_up(completion.result.error().message);
    }
  }

  identity::Sha256 hash_;
  std::unique_ptr<replica::LmdbStore> store_;
  std::uint64_t next_ = 0;
};

nlohmann::json measure(const fs::path& directory, std::size_t value_size, std::size_t batch,
                       std::size_t total_bytes) {
  const std::size_t batches = std::max<std::size_t>(kRounds, total_bytes / value_size / batch);
  const std::vector<Payload> values = make_values(value_size, batch);
  fs::create_directories(directory);
  Ours ours(directory / "store");
  Rival rival(directory / "rival", batches * batch * value_size);
  std::vector<Digest> digests;
  for (const Payload& value : values) digests.push_back(ours.digest(value));
  Figures our_puts, rival_puts, our_gets;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < batches / kRounds; ++i) ours.put_batch(values, digests, our_puts);
    for (std::size_t i = 0; i < batches / kRounds; ++i) rival.batch(values, rival_puts);
  }
  const std::uint64_t puts = ours.stored();
  for (std::uint64_t first = 0; first + batch <= puts; first += batch) {
    ours.get_batch(first, batch, our_gets);
  }
  const double ratio =
      our_puts.megabytes_per_second(value_size) / rival_puts.megabytes_per_second(value_size);
  nlohmann::json row = {{"value_bytes", value_size},
                        {"batch", batch},
                        {"put", our_puts.json(value_size)},
                        {"raw_write", rival_puts.json(value_size)},
                        {"ratio", ratio},
                        {"get_cached", our_gets.json(value_size)},
                        {"commits", ours.counters().commits},
                        {"syncs", ours.counters().syncs},
                        {"raw_syncs", our_puts.batch_seconds.size()}};
  fs::remove_all(directory);
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  fs::path base = fs::current_path();
  std::size_t mebibytes = 256;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--directory") {
      base = argv[i + 1];
    } else if (option == "--mebibytes") {
      mebibytes = std::strtoul(argv[i + 1], nullptr, 10);
    } else {
      give_up("unknown option " + option + "; known: --directory DIR --mebibytes M");
    }
  }
  const fs::path directory = base / ("bench-store." + std::to_string(::getpid()));
  nlohmann::json result = {{"benchmark", "store"},
                           {"file_system", bench::file_system(base)},
                           {"digest", "sha256"},
                           {"threads", 1},
                           {"rows", nlohmann::json::array()}};
  for (const std::size_t value_size : {std::size_t{64} << 10, std::size_t{1} << 20}) {
    for (const std::size_t batch : {1, 8, 24}) {
      result["rows"].push_back(measure(directory, value_size, batch, mebibytes << 20));
    }
  }
  std::cout << result.dump(2) << '\n';
  return 0;
}
