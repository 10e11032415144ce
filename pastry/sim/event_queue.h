// The simulator's future: events in the order of their time, ties in the order of insertion.
//
// A 4-ary heap of 24-byte events: flat memory, half the depth of a binary heap. What an event is
// about lies elsewhere and is named by `subject`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pastry/core/timestamp.h"

namespace pastry::sim {

enum class EventKind : std::uint8_t {
  arrival,   // subject: slot of a message in flight
  deadline,  // subject: node whose timers are due
  storage,   // subject: slot of a storage request
  action,    // subject: slot of a scheduled action
};

struct Event {
  Time at;
  std::uint64_t sequence = 0;  // of insertion; unique
  std::uint32_t subject = 0;
  EventKind kind = EventKind::action;
};
static_assert(sizeof(Event) == 24);

class EventQueue {
 public:
  // `at` is any time; order among equal times is that of the calls.
  void push(Time at, EventKind kind, std::uint32_t subject);

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  // The earliest event; the queue must not be empty.
  const Event& top() const { return heap_.front(); }
  Event pop();

  // Gives memory back that a past peak left behind.
  void shrink() { heap_.shrink_to_fit(); }

 private:
  static bool before(const Event& a, const Event& b) {
    return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
  }

  std::vector<Event> heap_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace pastry::sim
