#include "apps/service/peer_keeper.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "pastry/identity/state_file.h"

namespace pastry::service {

PeerKeeper::PeerKeeper(std::filesystem::path folder)
    : folder_(std::move(folder)), thread_([this] { work(); }) {}

PeerKeeper::~PeerKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void PeerKeeper::keep(std::vector<PeerInfo> peers) {
  if (peers.empty() || peers == last_) return;
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
    if (const auto kept = identity::remember_peers(folder_, peers); !kept) {
      spdlog::warn("peers are not remembered: {}", kept.error().message);
    }
    lock.lock();
  }
}

}  // namespace pastry::service
