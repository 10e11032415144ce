// The simulator's future: events in the order of their time, ties in the order of insertion.
//
// A hierarchical timing wheel [Varghese & Lauck 1987]. Time is cut into ticks of 65.536 us; the
// ticks of the present page (2^12 of them, 268 ms) have a slot each, later pages have a slot each
// in the next wheel, and so on. A slot is a chain of chunks in the order of insertion. When its
// turn comes, a slot of the first wheel is sorted by time, one of a later wheel is dealt out to the
// wheel before. So an event costs three sequential writes however many there are, and 16 bytes; no
// number of insertion is needed, because nothing overtakes within a slot and the sort is stable.
// What an event is about lies elsewhere and is named by `subject`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pastry/core/timestamp.h"
#include "pastry/sim/blocks.h"

namespace pastry::sim {

// As wide as that an event has no padding: it is copied often, and as a whole.
enum class EventKind : std::uint32_t {
  arrival,   // subject: slot of a message in flight
  deadline,  // subject: node whose timers are due
  storage,   // subject: slot of a storage request
  action,    // subject: slot of a scheduled action
};

struct Event {
  Time at;
  std::uint32_t subject = 0;
  EventKind kind = EventKind::action;
};
static_assert(sizeof(Event) == 16);

class EventQueue {
 public:
  EventQueue();

  // `at` is any time; order among equal times is that of the calls.
  void push(Time at, EventKind kind, std::uint32_t subject);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // The earliest event; the queue must not be empty.
  const Event& top() {
    if (head_ == current_.size()) open_next();
    return current_[head_];
  }
  Event pop();
  // The event `ahead` places behind the earliest if that is known already, or null: to fetch what
  // it is about into the cache in time. After pop() the next events are known if they are near.
  const Event* peek(std::size_t ahead) const {
    return head_ + ahead < current_.size() ? &current_[head_ + ahead] : nullptr;
  }

  // Calls visit(Event&) for every event, in no particular order; it may change the subject.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::size_t i = head_; i < current_.size(); ++i) visit(current_[i]);
    for (Wheel& wheel : wheels_) {
      for (const Slot& slot : wheel.slots) visit_slot(slot, visit);
    }
    visit_slot(far_, visit);
  }

  // Gives memory back that a past peak left behind.
  void shrink();

 private:
  static constexpr unsigned kTickBits = 16;   // nanoseconds per tick
  static constexpr unsigned kWheelBits = 12;  // slots per wheel
  static constexpr std::size_t kSlots = std::size_t{1} << kWheelBits;
  static constexpr std::size_t kWheels = 3;
  static constexpr std::uint32_t kNoChunk = 0xffffffffU;

  static constexpr std::uint32_t kChunk = 15;

  struct Chunk {
    std::array<Event, kChunk> events;
    std::uint32_t next = kNoChunk;
  };
  // All its chunks but the last are full. The count stands here, because a chunk that was written
  // to is not in the cache any more when the next event for it comes.
  struct Slot {
    std::uint32_t first = kNoChunk;
    std::uint32_t last = kNoChunk;
    std::uint32_t in_last = 0;
  };
  struct Wheel {
    std::vector<Slot> slots = std::vector<Slot>(kSlots);
    std::array<std::uint64_t, kSlots / 64> used{};  // a bit per slot
    std::uint64_t used_words = 0;                   // a bit per word of `used`

    void mark(std::size_t slot);
    void unmark(std::size_t slot);
    // The first slot in use from `from` on, or kSlots.
    std::size_t next_used(std::size_t from) const;
  };

  static std::uint64_t tick(Time at) {
    const auto count = at.time_since_epoch().count();
    return count <= 0 ? 0 : static_cast<std::uint64_t>(count) >> kTickBits;
  }
  void place(Event event);
  void append(Slot& slot, Event event);
  void insert_current(Event event);
  void open_next();
  void look_ahead(std::uint64_t last);
  void open(std::size_t slot);
  void deal(Slot& slot);
  void drop(Slot& slot);

  template <typename Visit>
  void visit_slot(const Slot& slot, Visit&& visit) {
    for (std::uint32_t at = slot.first; at != kNoChunk;) {
      const std::uint32_t next = at == slot.last ? kNoChunk : chunks_[at].next;
      const std::uint32_t count = at == slot.last ? slot.in_last : kChunk;
      for (std::uint32_t i = 0; i < count; ++i) visit(chunks_[at].events[i]);
      at = next;
    }
  }

  std::size_t size_ = 0;
  // The last of the ticks whose events lie in `current_`, sorted, from `head_` on; what is pushed
  // for it or earlier joins them there.
  std::uint64_t tick_ = 0;
  std::vector<Event> current_;
  std::size_t head_ = 0;
  std::array<Wheel, kWheels> wheels_;
  Slot far_;  // beyond the last wheel: weeks from now
  Pool<Chunk> chunks_;
};

}  // namespace pastry::sim
