// Writes the peers worth remembering to disk, on a thread of its own: syncing would stop the loop.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "pastry/core/directory.h"

namespace pastry::service {

class PeerKeeper {
 public:
  explicit PeerKeeper(std::filesystem::path folder);
  // Writes what was given last before it returns.
  ~PeerKeeper();
  PeerKeeper(const PeerKeeper&) = delete;
  PeerKeeper& operator=(const PeerKeeper&) = delete;

  // Replaces what is remembered; returns at once. An empty list is not written: peers that are gone
  // now may be the ones to come back to.
  void keep(std::vector<PeerInfo> peers);

 private:
  void work();

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<std::vector<PeerInfo>> next_;
  std::vector<PeerInfo> last_;  // of the caller's thread
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace pastry::service
