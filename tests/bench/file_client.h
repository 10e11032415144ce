// A client process of the files benchmark: keeps puts or gets under way on its node's loop, as the
// benchmark commands through shared memory.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "tests/bench/support.h"

namespace bench {

inline constexpr std::size_t kClients = 2;
inline constexpr std::size_t kStoresMax = 16;
inline constexpr std::size_t kLatenciesMax = 1 << 18;

enum class Command : int { none, put, get, put_large, get_large };
const char* name(Command command);

struct ClientTally {
  alignas(64) std::atomic<std::uint64_t> operations;
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint64_t> failures;
};

struct StoreTally {
  alignas(64) std::atomic<std::uint64_t> syncs;
};

struct Shared {
  std::atomic<int> active;
  std::atomic<int> port;

  // What to do; `number` is raised last.
  std::atomic<Command> command;
  std::atomic<std::size_t> clients;
  std::atomic<std::size_t> concurrency;  // per client
  std::atomic<std::size_t> bytes;
  std::atomic<bool> stop;
  std::atomic<int> number;
  std::atomic<int> idle;  // clients that are done

  std::array<ClientTally, kClients> tallies;
  std::array<StoreTally, kStoresMax> stores;
  std::atomic<std::uint64_t> latency_count;
  std::array<double, kLatenciesMax> latencies;  // seconds
};

class FileClient {
 public:
  // Begins with the loop of `process`. All must outlive this.
  FileClient(Shared& shared, std::size_t index, NodeProcess& process);

 private:
  void look();
  void begin_one(pastry::Context context);
  void put_one(pastry::Context context);
  void get_one(pastry::Context context, const past::FileId& file);
  void read_all(pastry::Context context, const past::FileInfo& info, Clock::time_point begin);
  void put_large(pastry::Context context);
  void write_large(pastry::Context context);
  void ended(pastry::Context context, bool good, std::uint64_t bytes, Clock::time_point begin);
  past::NewFile new_file();
  past::Past& past() { return process_.stack->past; }

  Shared& shared_;
  const std::size_t index_;
  NodeProcess& process_;
  int seen_ = 0;
  Command command_ = Command::none;
  std::size_t under_way_ = 0;
  std::uint64_t names_ = 0;
  pastry::Payload value_;
  std::vector<past::FileId> files_;  // that can be read
  std::size_t next_file_ = 0;
  past::FileId large_;
  past::PutId large_put_ = 0;
  std::uint64_t large_left_ = 0;
};

}  // namespace bench
