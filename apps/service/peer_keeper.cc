#include "apps/service/peer_keeper.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "pastry/identity/state_file.h"

namespace pastry::service {

PeerKeeper::PeerKeeper(std::filesystem::path folder, bool was_member,
                       std::function<void(Result<void>)> begun)
    : folder_(std::move(folder)),
      begun_(was_member ? nullptr : std::move(begun)),
      member_(was_member),
      thread_([this] { work(); }) {}

PeerKeeper::~PeerKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void PeerKeeper::keep(std::vector<PeerInfo> peers) {
  if (member_ && (peers.empty() || peers == last_)) return;
  member_ = true;
  last_ = peers;
  {
    const std::lock_guard lock(mutex_);
    next_ = std::move(peers);
  }
  wake_.notify_one();
}

void PeerKeeper::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || next_; });
    if (!next_) return;
    const std::vector<PeerInfo> peers = *std::exchange(next_, std::nullopt);
    lock.unlock();
    const auto kept = identity::remember_peers(folder_, peers);
    if (begun_) {
      std::exchange(begun_, nullptr)(kept);
    } else if (!kept) {
      spdlog::warn("peers are not remembered: {}", kept.error().message);
    }
    lock.lock();
  }
}

}  // namespace pastry::service
