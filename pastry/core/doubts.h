// What a node holds against some of its peers: suspected, not active yet, dead.
//
// Most nodes have no doubts most of the time and then keep no memory for them.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "pastry/core/box.h"
#include "pastry/core/directory.h"
#include "pastry/core/timestamp.h"

namespace pastry {

class Doubts {
 public:
  using Death = std::pair<Handle, Time>;

  // The references are valid until the next change.
  const std::vector<Handle>& suspects() const { return lists().suspects; }
  const std::vector<Death>& dead() const { return lists().dead; }  // oldest first
  bool suspected(Handle peer) const;
  bool inactive(Handle peer) const;
  // Declared dead after `since`.
  bool died_after(Handle peer, Time since) const;

  // Each returns whether it was news.
  bool suspect(Handle peer);
  bool set_inactive(Handle peer);
  bool set_active(Handle peer);

  void set_dead(Handle peer, Time now, std::size_t dead_max);
  // The peer showed that it lives.
  void lives(Handle peer);
  // It is neither suspected nor awaited any more.
  void drop(Handle peer);
  template <typename Wanted>
  void keep_inactive_if(Wanted&& wanted) {
    if (!lists_) return;
    std::erase_if(lists_->inactive, [&](Handle peer) { return !wanted(peer); });
    release_if_empty();
  }
  template <typename Outdated>
  void forget_dead_if(Outdated&& outdated) {
    if (!lists_) return;
    std::erase_if(lists_->dead, [&](const Death& death) { return outdated(death.first); });
    release_if_empty();
  }

  void mark_handles(Directory& directory) const;

 private:
  struct Lists {
    std::vector<Handle> suspects;
    std::vector<Handle> inactive;
    std::vector<Death> dead;
  };

  const Lists& lists() const;
  Lists& lists();
  void release_if_empty();

  Box<Lists> lists_;
};

}  // namespace pastry
