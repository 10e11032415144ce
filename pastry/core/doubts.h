// What a node holds against some of its peers: suspected, not active yet, dead, dead before, not
// reached straight.
//
// Most nodes have no doubts most of the time and then keep no memory for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pastry/core/box.h"
#include "pastry/core/directory.h"
#include "pastry/core/prefetch.h"
#include "pastry/core/relays.h"
#include "pastry/core/timestamp.h"

namespace pastry {

class Doubts {
 public:
  struct Death {
    Handle peer = kNoHandle;
    Time since{};
    bool leaf = false;        // it was a member of the leaf set
    bool left = false;        // it said so itself
    bool over = false;        // it holds no lease, and got none since
    bool named = false;       // others still have it in their leaf sets
    std::uint8_t others = 0;  // in the leaf set without it, at that time
  };

  // The references are valid until the next change.
  const std::vector<Handle>& suspects() const { return lists().suspects; }
  const std::vector<Death>& dead() const { return lists().dead; }  // oldest first
  bool suspected(Handle peer) const { return lists_ && holds(lists_->suspects, peer); }
  bool inactive(Handle peer) const { return lists_ && holds(lists_->inactive, peer); }
  // Declared dead after `since`, and not heard of again.
  bool died_after(Handle peer, Time since) const {
    for (const Death& death : dead()) {
      if (death.peer == peer && death.since > since) return true;
    }
    return false;
  }
  bool remembers(Handle peer) const {
    for (const Death& death : dead()) {
      if (death.peer == peer) return true;
    }
    return false;
  }
  // How often the peer was declared dead by mistake after `since`: it came back each time.
  unsigned returns(Handle peer, Time since) const;
  // Anybody was.
  bool any_returns(Time since) const;

  // The peer answered although others called it dead: their word counts for nothing until `until`.
  void vindicate(Handle peer, Time now, Time until);
  bool vindicated(Handle peer, Time now) const;

  // Each returns whether it was news.
  bool suspect(Handle peer);
  bool set_inactive(Handle peer);
  bool set_active(Handle peer);

  // Of `dead_max` remembered ones the oldest that were not leaves make room first.
  void set_dead(Death death, std::size_t dead_max);
  // Who was just remembered as dead said itself that it leaves.
  void set_left(Handle peer);
  // Somebody names the peer although it has been dead since before `since`: if it lives after all
  // it may have got leases.
  void set_named(Handle peer, Time since);
  // The peer was asked once more, for whoever named it before `since`.
  void set_tried(Handle peer, Time since);
  // The leases that it may have had are over.
  void set_over(Handle peer);
  // The same for those that died after `begin` and before `end`, if the predicate holds for them.
  template <typename Predicate>
  void set_over_if(Time begin, Time end, Predicate&& predicate) {
    if (!lists_) return;
    for (auto death = lists_->dead.rbegin(); death != lists_->dead.rend(); ++death) {
      if (death->since <= begin) return;
      if (death->since < end && !death->over) death->over = predicate(death->peer);
    }
  }
  // Whether they are is not known any more, of those for which the predicate holds.
  template <typename Predicate>
  void clear_over_if(Predicate&& predicate) {
    if (!lists_) return;
    for (Death& death : lists_->dead) death.over = death.over && !predicate(death.peer);
  }
  void forget_suspects();
  // Forgets the deaths before `since`, and with them the returns; and what has expired.
  void age(Time since, Time now);
  // The peer was heard: not suspected any more.
  void heard(Handle peer);
  // The peer answered. True if it had been declared dead.
  bool lives(Handle peer, Time now);
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
    std::erase_if(lists_->dead, [&](const Death& death) { return outdated(death.peer); });
    std::erase_if(lists_->returned, [&](const Return& back) { return outdated(back.peer); });
    release_if_empty();
  }

  // Over whom messages to `peer` go; kNoHandle: straight.
  Handle via(Handle peer) const { return lists_ ? lists_->relays.via(peer) : kNoHandle; }
  const Relays& relays() const { return lists().relays; }
  // Takes memory if there are no doubts yet; call release() afterwards.
  Relays& changing_relays() { return lists().relays; }
  void release() {
    if (lists_) release_if_empty();
  }

  void mark_handles(Directory& directory) const;
  // Brings what every message asks into the processor's cache.
  void prefetch() const {
    if (lists_) prefetch_lines(lists_.get(), sizeof(Lists));
  }
  // And then what these refer to.
  void prefetch_details() const {
    if (!lists_) return;
    prefetch_line(lists_->inactive.data());
    prefetch_line(lists_->dead.data());
  }

 private:
  struct Return {
    Handle peer = kNoHandle;
    unsigned times = 0;
    Time last{};
  };
  struct Lists {
    std::vector<Handle> suspects;
    std::vector<Handle> inactive;
    std::vector<Death> dead;
    std::vector<Return> returned;
    std::vector<std::pair<Handle, Time>> vindicated;
    Relays relays;
  };

  const Lists& lists() const { return lists_ ? *lists_ : kNone; }
  Lists& lists();
  void release_if_empty();
  void note_return(Handle peer, Time now);

  static const Lists kNone;
  Box<Lists> lists_;
};

}  // namespace pastry
