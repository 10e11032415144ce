#include "pastry/core/doubts.h"

#include <algorithm>

namespace pastry {
namespace {

// Bounds on peers known not to be active yet, and on those that were declared dead by mistake.
constexpr std::size_t kInactiveMax = 256;
constexpr std::size_t kReturnedMax = 64;
constexpr std::size_t kVindicatedMax = 256;

}  // namespace

const Doubts::Lists Doubts::kNone;

Doubts::Lists& Doubts::lists() {
  if (!lists_) lists_ = std::make_unique<Lists>();
  return *lists_;
}

void Doubts::release_if_empty() {
  if (lists_->suspects.empty() && lists_->inactive.empty() && lists_->dead.empty() &&
      lists_->returned.empty() && lists_->vindicated.empty() && lists_->relays.empty()) {
    lists_.reset();
  }
}

unsigned Doubts::returns(Handle peer, Time since) const {
  for (const Return& back : lists().returned) {
    if (back.peer == peer) return back.last > since ? back.times : 0;
  }
  return 0;
}

void Doubts::vindicate(Handle peer, Time now, Time until) {
  auto& list = lists().vindicated;
  std::erase_if(list,
                [&](const auto& entry) { return entry.first == peer || entry.second <= now; });
  if (list.size() < kVindicatedMax) list.emplace_back(peer, until);
}

bool Doubts::vindicated(Handle peer, Time now) const {
  const auto& list = lists().vindicated;
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& entry) { return entry.first == peer && entry.second > now; });
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
  if (!inactive(peer)) return false;
  std::erase(lists_->inactive, peer);
  release_if_empty();
  return true;
}

void Doubts::set_dead(Death death, std::size_t dead_max) {
  std::vector<Death>& list = lists().dead;
  const auto same = std::find_if(list.begin(), list.end(),
                                 [&](const Death& known) { return known.peer == death.peer; });
  if (same != list.end()) {
    death.leaf |= same->leaf;
    list.erase(same);
  }
  if (list.size() >= dead_max) {
    const auto other =
        std::find_if(list.begin(), list.end(), [](const Death& known) { return !known.leaf; });
    list.erase(other == list.end() ? list.begin() : other);
  }
  const auto place = std::upper_bound(list.begin(), list.end(), death.since,
                                      [](Time at, const Death& known) { return at < known.since; });
  list.insert(place, death);
}

void Doubts::set_left(Handle peer) {
  if (!lists_) return;
  for (Death& death : lists_->dead) {
    if (death.peer == peer) death.left = true;
  }
}

bool Doubts::any_returns(Time since) const {
  const auto& returned = lists().returned;
  return std::any_of(returned.begin(), returned.end(),
                     [since](const Return& back) { return back.last >= since; });
}

void Doubts::set_named(Handle peer, Time since) {
  if (!lists_) return;
  for (Death& death : lists_->dead) {
    if (death.peer != peer || death.since >= since) continue;
    death.named = true;
    death.over = false;
  }
}

void Doubts::set_tried(Handle peer, Time since) {
  if (!lists_) return;
  for (Death& death : lists_->dead) {
    if (death.peer == peer && death.since < since) death.named = false;
  }
}

void Doubts::forget_suspects() {
  if (!lists_) return;
  lists_->suspects.clear();
  release_if_empty();
}

void Doubts::set_over(Handle peer) {
  if (!lists_) return;
  for (Death& death : lists_->dead) {
    if (death.peer == peer) death.over = true;
  }
}

void Doubts::age(Time since, Time now) {
  if (!lists_) return;
  std::erase_if(lists_->vindicated, [now](const auto& entry) { return entry.second <= now; });
  std::erase_if(lists_->dead, [since](const Death& death) { return death.since < since; });
  std::erase_if(lists_->returned, [since](const Return& back) { return back.last < since; });
  release_if_empty();
}

void Doubts::heard(Handle peer) {
  if (!suspected(peer)) return;
  std::erase(lists_->suspects, peer);
  release_if_empty();
}

bool Doubts::lives(Handle peer, Time now) {
  if (!suspected(peer) && dead().empty()) return false;
  std::erase(lists_->suspects, peer);
  bool was_leaf = false;
  const std::size_t found = std::erase_if(lists_->dead, [&](const Death& death) {
    if (death.peer != peer) return false;
    was_leaf = death.leaf && !death.left;  // who said farewell was not taken for dead
    return true;
  });
  if (was_leaf) note_return(peer, now);
  release_if_empty();
  return found > 0;
}

void Doubts::note_return(Handle peer, Time now) {
  std::vector<Return>& list = lists_->returned;
  for (Return& back : list) {
    if (back.peer != peer) continue;
    ++back.times;
    back.last = now;
    return;
  }
  if (list.size() == kReturnedMax) list.erase(list.begin());
  list.push_back({peer, 1, now});
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
  for (const Death& death : dead()) directory.mark(death.peer);
  for (const Return& back : lists().returned) directory.mark(back.peer);
  for (const auto& [peer, until] : lists().vindicated) directory.mark(peer);
  lists().relays.mark_handles(directory);
}

}  // namespace pastry
