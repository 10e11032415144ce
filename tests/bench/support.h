// What the benchmarks with several processes share: processes that end with their parent, memory
// shared with them, one node with all services per process, a directory for their data, figures.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "apps/service/node_stack.h"
#include "pastry/identity/sha256.h"
#include "pastry/replica/lmdb_store.h"
#include "pastry/zmq/host.h"
#include "tests/bench/file_system.h"

namespace bench {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin);
// Of at least one value; the upper of two in the middle.
double median(std::vector<double> values);
// Processor time that a process has used, in seconds; 0 if it is gone.
double cpu_seconds(pid_t pid);

// Zeroed memory that processes forked later share; T holds atomics and plain numbers only.
void* map_shared(std::size_t bytes);
template <class T>
T& make_shared_memory() {
  return *new (map_shared(sizeof(T))) T{};
}

// Ctrl-C and SIGTERM end the waits below with an exception, so that everything is cleaned up.
void catch_signals();

// Throws std::runtime_error naming `what` when `condition` does not hold in time.
void wait_for(const std::function<bool()>& condition, double timeout_s, std::string_view what);
void wait_seconds(double seconds);

// Child processes, each killed by its id when this goes; they also die with the parent.
class Children {
 public:
  Children() = default;
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Runs `body` in a process of its own, which profilers show under `name` (null: the program's);
  // an exception in it is printed and ends that process.
  pid_t spawn(const std::function<void()>& body, const char* name = nullptr);
  // Throws if one has ended.
  void check() const;
  // Processor time that all of them have used so far.
  double cpu_seconds() const;
  void kill_all();

 private:
  std::vector<pid_t> pids_;
};

// A directory of its own below `base`, removed when this goes.
class ScratchDirectory {
 public:
  ScratchDirectory(const std::filesystem::path& base, const std::string& name);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  pid_t owner_;
};

// Cores, load of the machine now, security mode.
nlohmann::json surroundings(const std::string& benchmark);

// One node with all its services in this process, on loopback, insecure.
struct NodeProcess {
  pastry::identity::Sha256 hash;
  pastry::service::ServiceOptions services;
  std::unique_ptr<pastry::host::Host> host;
  std::unique_ptr<pastry::service::NodeStack> stack;
};
// `seed_port` 0: founds the ring. `store` outlives the result. `on_active` is called on the loop
// when the node is active. The caller runs the host.
std::unique_ptr<NodeProcess> open_node(const pastry::NodeId& id, int seed_port,
                                       pastry::Store& store, std::function<void()> on_active);
std::unique_ptr<pastry::replica::LmdbStore> open_store(const pastry::Hash& hash,
                                                       const std::filesystem::path& directory);
int port_of(const std::string& address);

}  // namespace bench
