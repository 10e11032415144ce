// Writes the peers worth remembering to disk, on a thread of its own: syncing would stop the loop.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/error.h"

namespace pastry::service {

class PeerKeeper {
 public:
  // `was_member`: the folder has peers, or that there were none, from an earlier life. `begun` is
  // called on the thread of this object when the first peers of a new member are on disk, or cannot
  // be written; never for one that was a member before.
  PeerKeeper(std::filesystem::path folder, bool was_member,
             std::function<void(Result<void>)> begun);
  // Writes what was given last before it returns.
  ~PeerKeeper();
  PeerKeeper(const PeerKeeper&) = delete;
  PeerKeeper& operator=(const PeerKeeper&) = delete;

  // Replaces what is remembered; returns at once. An empty list is not written but by a new member:
  // peers that are gone now may be the ones to come back to.
  void keep(std::vector<PeerInfo> peers);

 private:
  void work();

  std::filesystem::path folder_;
  std::function<void(Result<void>)> begun_;  // empty once it was called
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<std::vector<PeerInfo>> next_;
  std::vector<PeerInfo> last_;  // of the caller's thread, as the next
  bool member_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace pastry::service
