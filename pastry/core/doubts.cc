#include "pastry/core/doubts.h"

#include <algorithm>

namespace pastry {
namespace {

// Bound on peers known not to be active yet.
constexpr std::size_t kInactiveMax = 256;

bool holds(const std::vector<Handle>& list, Handle peer) {
  return std::find(list.begin(), list.end(), peer) != list.end();
}

}  // namespace

const Doubts::Lists& Doubts::lists() const {
  static const Lists none;
  return lists_ ? *lists_ : none;
}

Doubts::Lists& Doubts::lists() {
  if (!lists_) lists_ = std::make_unique<Lists>();
  return *lists_;
}

void Doubts::release_if_empty() {
  if (lists_->suspects.empty() && lists_->inactive.empty() && lists_->dead.empty()) lists_.reset();
}

bool Doubts::suspected(Handle peer) const { return lists_ && holds(lists_->suspects, peer); }

bool Doubts::inactive(Handle peer) const { return lists_ && holds(lists_->inactive, peer); }

bool Doubts::died_after(Handle peer, Time since) const {
  const std::vector<Death>& all = dead();
  return std::any_of(all.begin(), all.end(), [&](const Death& death) {
    return death.first == peer && death.second > since;
  });
}

bool Doubts::suspect(Handle peer) {
  if (suspected(peer)) return false;
  lists().suspects.push_back(peer);
  return true;
}

bool Doubts::set_inactive(Handle peer) {
  if (inactive(peer)) return false;
  std::vector<Handle>& list = lists().inactive;
  if (list.size() == kInactiveMax) list.erase(list.begin());
  list.push_back(peer);
  return true;
}

bool Doubts::set_active(Handle peer) {
  if (!lists_ || std::erase(lists_->inactive, peer) == 0) return false;
  release_if_empty();
  return true;
}

void Doubts::set_dead(Handle peer, Time now, std::size_t dead_max) {
  std::vector<Death>& list = lists().dead;
  std::erase_if(list, [peer](const Death& death) { return death.first == peer; });
  if (list.size() >= dead_max) list.erase(list.begin());
  list.emplace_back(peer, now);
}

void Doubts::lives(Handle peer) {
  if (!lists_) return;
  std::erase(lists_->suspects, peer);
  std::erase_if(lists_->dead, [peer](const Death& death) { return death.first == peer; });
  release_if_empty();
}

void Doubts::drop(Handle peer) {
  if (!lists_) return;
  std::erase(lists_->suspects, peer);
  std::erase(lists_->inactive, peer);
  release_if_empty();
}

void Doubts::mark_handles(Directory& directory) const {
  for (const Handle peer : suspects()) directory.mark(peer);
  for (const Handle peer : lists().inactive) directory.mark(peer);
  for (const auto& [peer, since] : dead()) directory.mark(peer);
}

}  // namespace pastry
