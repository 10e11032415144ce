// Files through a ring of processes, beside what the disk and ZeroMQ allow.
//
// Ours: one node with all services per process, each with a store of its own; k = 3. The ids are
// such that the nodes of the client processes hold nothing: every byte crosses to other processes.
// - put of 64 KiB and 1 MiB, acknowledged when three stores have synced it. Limit: the same bytes
//   written three times to files that were written ahead, fdatasync each, with as many operations
//   under way: (a) one writer per store that syncs what waits for it together, (b) each client
//   writes and syncs its three copies one after another.
// - get of 1 MiB files and of a large file by one client process, from page cache, hashes checked.
//   Limit: 64 KiB ZeroMQ frames, PUSH to PULL, from one process to another.
// Both sides take turns in every round; ratios are of the medians. Prints one JSON document.
//
//   bench_files [--directory DIR] [--seconds S] [--concurrency C] [--large MEBIBYTES]
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "tests/bench/disk_limit.h"
#include "tests/bench/file_client.h"
#include "tests/bench/support.h"

namespace {

using namespace bench;
namespace fs = std::filesystem;
using pastry::NodeId;

constexpr std::size_t kHalf = 3;  // stores on each side of the clients
constexpr std::size_t kStores = 2 * kHalf;
constexpr int kCopies = 3;
constexpr int kRounds = 3;
constexpr double kStart = 30;
constexpr double kDrain = 30;
constexpr std::size_t kFrameBytes = 64 << 10;
constexpr std::size_t kMebibyte = 1 << 20;

struct Setup {
  fs::path directory = fs::current_path();
  double seconds = 1.5;
  std::size_t concurrency = 8;
  std::size_t large_mebibytes = 256;
};

// Stores at both sides of the clients: the three nodes closest to any key are those of one side.
NodeId node_id(std::size_t index) {
  constexpr std::uint64_t kMiddle = 0x8000000000000000ULL;
  const std::size_t place = index < kHalf ? index : index - kHalf + kHalf + kClients;
  if (index < kStores) return {kMiddle, 100 + place};
  return {kMiddle, 100 + kHalf + (index - kStores)};
}

// Tells the other processes how often a store waited for the disk.
class CountedStore final : public pastry::Store {
 public:
  CountedStore(const pastry::Hash& hash, const fs::path& directory, StoreTally& tally)
      : store_(open_store(hash, directory)), tally_(tally) {}

  void apply(std::span<const pastry::StorageRequest> requests,
             std::vector<pastry::StorageCompletion>& completions) override {
    store_->apply(requests, completions);
    tally_.syncs = store_->counters().syncs;
  }

 private:
  std::unique_ptr<pastry::replica::LmdbStore> store_;
  StoreTally& tally_;
};

void run_process(Shared& shared, std::size_t index, const fs::path& data) {
  const pastry::identity::Sha256 hash;
  CountedStore store(hash, data, shared.stores[index]);
  const auto process = open_node(node_id(index), shared.port, store, [&] { ++shared.active; });
  if (index == 0) shared.port = port_of(process->host->address());
  std::unique_ptr<FileClient> client;
  if (index >= kStores) {
    client = std::make_unique<FileClient>(shared, index - kStores, *process);
  }
  process->host->run();
}

class Cluster {
 public:
  Cluster(const Setup& setup, const fs::path& scratch) : setup_(setup) {
    for (std::size_t i = 0; i < kStores + kClients; ++i) {
      children_.spawn([&, i] { run_process(shared_, i, scratch / std::to_string(i)); });
      if (i == 0)
        wait_for([&] { return shared_.active == 1 && shared_.port != 0; }, kStart, "ring");
    }
    wait_for([&] { return shared_.active == static_cast<int>(kStores + kClients); }, kStart,
             "ring");
    wait_seconds(1);
  }

  struct Figures {
    double operations_per_s = 0;
    double bytes_per_s = 0;
    std::uint64_t operations = 0;
    std::uint64_t syncs = 0;
    double cpu_s = 0;  // processor time of all processes
    std::uint64_t total_bytes = 0;
  };

  // Lets `clients` processes work for `seconds` (0: until they end by themselves).
  Figures run(Command command, std::size_t clients, std::size_t bytes, double seconds) {
    children_.check();
    const Totals before = totals();
    const double cpu_before = children_.cpu_seconds();
    const auto begin = Clock::now();
    shared_.clients = clients;
    shared_.concurrency = seconds > 0 ? setup_.concurrency / clients : 1;
    shared_.bytes = bytes;
    shared_.stop = false;
    shared_.idle = 0;
    shared_.command = command;
    ++shared_.number;
    if (seconds > 0) {
      wait_seconds(seconds);
      shared_.stop = true;
    }
    // What was begun counts, and so does the time until it ends.
    wait_for([&] { return shared_.idle == static_cast<int>(clients); }, kDrain, name(command));
    const double elapsed = seconds_since(begin);
    const Totals after = totals();
    if (after.failures != before.failures) throw std::runtime_error("an operation failed");
    return {static_cast<double>(after.operations - before.operations) / elapsed,
            static_cast<double>(after.bytes - before.bytes) / elapsed,
            after.operations - before.operations,
            after.syncs - before.syncs,
            children_.cpu_seconds() - cpu_before,
            after.bytes - before.bytes};
  }

  std::vector<double> take_latencies() {
    std::vector<double> all(
        shared_.latencies.begin(),
        shared_.latencies.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(
                                        shared_.latency_count, kLatenciesMax)));
    shared_.latency_count = 0;
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  struct Totals {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    std::uint64_t failures = 0;
    std::uint64_t syncs = 0;
  };

  Totals totals() const {
    Totals sum;
    for (const ClientTally& client : shared_.tallies) {
      sum.operations += client.operations;
      sum.bytes += client.bytes;
      sum.failures += client.failures;
    }
    for (const StoreTally& store : shared_.stores) sum.syncs += store.syncs;
    return sum;
  }

  const Setup& setup_;
  Shared& shared_ = make_shared_memory<Shared>();
  Children children_;
};

nlohmann::json latency_json(const std::vector<double>& sorted) {
  if (sorted.empty()) return nullptr;
  return {{"p50", sorted[sorted.size() / 2] * 1e3},
          {"p99", sorted[sorted.size() * 99 / 100] * 1e3}};
}

nlohmann::json measure_put(Cluster& cluster, const Setup& setup, const fs::path& scratch,
                           std::size_t bytes) {
  DiskLimit limit(scratch / "limit", kStores, kCopies, setup.concurrency, bytes);
  std::vector<double> ours, grouped, plain;
  double cpu_s = 0;
  std::uint64_t syncs = 0, puts = 0, grouped_syncs = 0, grouped_puts = 0;
  cluster.take_latencies();
  for (int round = 0; round < kRounds; ++round) {
    const auto figures = cluster.run(Command::put, kClients, bytes, setup.seconds);
    ours.push_back(figures.operations_per_s);
    syncs += figures.syncs;
    cpu_s += figures.cpu_s;
    puts += figures.operations;
    const auto group = limit.run_grouped(setup.seconds);
    grouped.push_back(group.operations_per_s);
    grouped_syncs += group.syncs;
    grouped_puts += group.operations;
    plain.push_back(limit.run_one_by_one(setup.seconds).operations_per_s);
  }
  const auto latencies = cluster.take_latencies();
  const double best = std::max(median(grouped), median(plain));
  const auto per = [](std::uint64_t a, std::uint64_t b) {
    return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
  };
  return {{"file_bytes", bytes},
          {"copies", kCopies},
          {"under_way", setup.concurrency},
          {"puts_per_s", median(ours)},
          {"megabytes_per_s", median(ours) * static_cast<double>(bytes) / 1e6},
          {"latency_ms", latency_json(latencies)},
          {"puts", puts},
          {"cpu_ms_per_put", puts > 0 ? cpu_s * 1e3 / static_cast<double>(puts) : 0},
          {"syncs", syncs},
          {"syncs_per_put", per(syncs, puts)},
          {"limit_grouped_puts_per_s", median(grouped)},
          {"limit_grouped_syncs_per_put", per(grouped_syncs, grouped_puts)},
          {"limit_one_by_one_puts_per_s", median(plain)},
          {"limit_one_by_one_syncs_per_put", kCopies},
          {"ratio", median(ours) / best},
          {"ratio_to_one_by_one", median(ours) / median(plain)},
          {"rounds", {{"ours", ours}, {"grouped", grouped}, {"one_by_one", plain}}}};
}

// --- ZeroMQ frames from one process to another ---

struct FrameCount {
  std::atomic<int> port;
  std::atomic<std::uint64_t> bytes;
};

void receive_frames(FrameCount& shared) {
  zmq::context_t context;
  zmq::socket_t pull(context, zmq::socket_type::pull);
  pull.bind("tcp://127.0.0.1:*");
  shared.port = port_of(pull.get(zmq::sockopt::last_endpoint));
  zmq::message_t frame;
  while (pull.recv(frame)) shared.bytes.fetch_add(frame.size(), std::memory_order_relaxed);
}

void send_frames(const FrameCount& shared) {
  zmq::context_t context;
  zmq::socket_t push(context, zmq::socket_type::push);
  push.connect("tcp://127.0.0.1:" + std::to_string(shared.port));
  std::string bytes(kFrameBytes, 'f');
  for (;;) {
    // By reference: nothing is copied on this side.
    zmq::message_t frame(
        bytes.data(), bytes.size(), [](void*, void*) {}, nullptr);
    push.send(frame, zmq::send_flags::none);
  }
}

struct FrameRate {
  double bytes_per_s = 0;
  double cpu_ns_per_byte = 0;
};

FrameRate frame_limit(double seconds) {
  FrameCount& shared = make_shared_memory<FrameCount>();
  Children children;
  children.spawn([&] { receive_frames(shared); });
  wait_for([&] { return shared.port != 0; }, kStart, "the receiver");
  children.spawn([&] { send_frames(shared); });
  wait_for([&] { return shared.bytes > 0; }, kStart, "frames");
  const std::uint64_t before = shared.bytes;
  const double cpu_before = children.cpu_seconds();
  const auto begin = Clock::now();
  wait_seconds(seconds);
  const auto bytes = static_cast<double>(shared.bytes - before);
  const double cpu = children.cpu_seconds() - cpu_before;
  return {bytes / seconds_since(begin), bytes > 0 ? cpu * 1e9 / bytes : 0};
}

nlohmann::json measure_get(Cluster& cluster, const Setup& setup, Command command,
                           std::size_t bytes) {
  const double seconds = command == Command::get ? setup.seconds : 0;
  std::vector<double> ours, frames, our_cpu, frame_cpu;
  cluster.take_latencies();
  for (int round = 0; round < kRounds; ++round) {
    const auto figures = cluster.run(command, 1, bytes, seconds);
    ours.push_back(figures.bytes_per_s / 1e6);
    our_cpu.push_back(figures.cpu_s * 1e9 / static_cast<double>(figures.total_bytes));
    const FrameRate rate = frame_limit(std::min(setup.seconds, 1.0));
    frames.push_back(rate.bytes_per_s / 1e6);
    frame_cpu.push_back(rate.cpu_ns_per_byte);
  }
  return {{"file_bytes", bytes},
          {"under_way", command == Command::get ? setup.concurrency : 1},
          {"client_processes", 1},
          {"megabytes_per_s", median(ours)},
          {"latency_ms", latency_json(cluster.take_latencies())},
          {"zeromq_64k_frames_megabytes_per_s", median(frames)},
          {"ratio", median(ours) / median(frames)},
          {"cpu_ns_per_byte", median(our_cpu)},
          {"zeromq_cpu_ns_per_byte", median(frame_cpu)},
          {"rounds", {{"ours", ours}, {"zeromq", frames}}}};
}

nlohmann::json run(const Setup& setup) {
  const ScratchDirectory scratch(setup.directory, "bench-files");
  Cluster cluster(setup, scratch.path());
  nlohmann::json puts = nlohmann::json::array();
  nlohmann::json gets = nlohmann::json::array();
  puts.push_back(measure_put(cluster, setup, scratch.path(), kFrameBytes));
  puts.push_back(measure_put(cluster, setup, scratch.path(), kMebibyte));
  gets.push_back(measure_get(cluster, setup, Command::get, kMebibyte));
  const std::size_t large = setup.large_mebibytes * kMebibyte;
  const double large_put = cluster.run(Command::put_large, 1, large, 0).bytes_per_s / 1e6;
  cluster.take_latencies();
  gets.push_back(measure_get(cluster, setup, Command::get_large, large));
  return {{"processes", kStores + kClients},
          {"store_processes", kStores},
          {"client_processes", kClients},
          {"file_system", file_system(setup.directory)},
          {"digest", "sha256"},
          {"rounds", kRounds},
          {"put", puts},
          {"large_put_megabytes_per_s", large_put},
          {"get", gets}};
}

Setup parse(int argc, char** argv) {
  Setup setup;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const double value = std::atof(argv[i + 1]);
    if (option == "--directory") setup.directory = argv[i + 1];
    if (option == "--seconds") setup.seconds = value;
    if (option == "--concurrency") {
      setup.concurrency = std::max(kClients, static_cast<std::size_t>(value) / kClients * kClients);
    }
    if (option == "--large") setup.large_mebibytes = static_cast<std::size_t>(value);
  }
  return setup;
}

}  // namespace

int main(int argc, char** argv) {
  const Setup setup = parse(argc, argv);
  catch_signals();
  try {
    nlohmann::json document = surroundings("files");
    document.update(run(setup));
    std::printf("%s\n", document.dump(2).c_str());
    for (const auto& put : document["put"]) {
      std::fprintf(
          stderr, "files: put k=3 of %zu KiB on %s: %.0f/s, limit %.0f/s, ratio %.2f\n",
          put["file_bytes"].get<std::size_t>() >> 10,
          document["file_system"].get<std::string>().c_str(), put["puts_per_s"].get<double>(),
          put["puts_per_s"].get<double>() / put["ratio"].get<double>(), put["ratio"].get<double>());
    }
    for (const auto& get : document["get"]) {
      std::fprintf(
          stderr, "files: get of %zu MiB: %.0f MB/s, ZeroMQ frames %.0f MB/s, ratio %.2f\n",
          get["file_bytes"].get<std::size_t>() >> 20, get["megabytes_per_s"].get<double>(),
          get["zeromq_64k_frames_megabytes_per_s"].get<double>(), get["ratio"].get<double>());
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_files: %s\n", error.what());
    return 1;
  }
}
