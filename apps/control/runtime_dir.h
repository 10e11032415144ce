// The per-user folder where running nodes and clusters are listed, so that commands find them.
//
// $PASTRY_RUNTIME_DIR, else $XDG_RUNTIME_DIR/pastry, else /tmp/pastry-UID; mode 0700. Each process
// writes KIND-PID.json and listens on KIND-PID.sock beside it. What a dead process left is removed
// by whoever comes across it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pastry/core/error.h"

namespace pastry::control {

struct Entry {
  std::string kind;  // "node" or "cluster"
  pid_t pid = 0;
  std::uint64_t start_time = 0;    // of the process, in clock ticks; tells reused pids apart
  std::string endpoint;            // of the control socket
  std::vector<std::string> nodes;  // ids; of a node
  pid_t cluster = 0;               // supervisor of this node, if any
  std::string scratch;             // directory to remove with the entry, if any
};

// Keeps an entry listed until it is destroyed.
class Registration {
 public:
  explicit Registration(std::string path, std::string socket)
      : path_(std::move(path)), socket_(std::move(socket)) {}
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  std::string path_;
  std::string socket_;
};

class RuntimeDir {
 public:
  // `path` empty: the default. Makes the folder. Errors: failed (not ours, not writable), invalid
  // (path too long for a socket).
  static Result<RuntimeDir> open(std::string path);

  // Entries of live processes, ordered by pid. Removes the others.
  std::vector<Entry> entries() const;

  // "ipc://…" for this process.
  std::string endpoint(const std::string& kind) const;
  Result<std::unique_ptr<Registration>> publish(Entry entry) const;
  // Removes what the process left; it must be dead.
  void forget(const std::string& kind, pid_t pid) const;

  const std::string& path() const { return path_; }

 private:
  explicit RuntimeDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// In clock ticks since boot, 0 if there is no such process (or it is a zombie).
std::uint64_t process_start_time(pid_t pid);
// Whether it is stopped (SIGSTOP).
bool process_stopped(pid_t pid);

}  // namespace pastry::control
