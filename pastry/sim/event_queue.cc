#include "pastry/sim/event_queue.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

namespace pastry::sim {

namespace {

// Up to this many events are sorted by insertion, which needs no memory.
constexpr std::size_t kInsertionSort = 48;
// What was popped is cut off the front when there is this much of it.
constexpr std::size_t kCutOff = 4096;
// Ticks are opened early while fewer events than this are known, but only so many ticks early: what
// is pushed for a tick that is open has to be inserted.
constexpr std::size_t kEventsAhead = 24;
constexpr std::uint64_t kTicksAhead = 16;

bool earlier(const Event& a, const Event& b) { return a.at < b.at; }

void sort_stably(std::span<Event> events) {
  if (events.size() > kInsertionSort) {
    std::stable_sort(events.begin(), events.end(), earlier);
    return;
  }
  for (std::size_t i = 1; i < events.size(); ++i) {
    const Event event = events[i];
    std::size_t hole = i;
    for (; hole > 0 && earlier(event, events[hole - 1]); --hole) events[hole] = events[hole - 1];
    events[hole] = event;
  }
}

}  // namespace

void EventQueue::Wheel::mark(std::size_t slot) {
  used[slot / 64] |= std::uint64_t{1} << (slot % 64);
  used_words |= std::uint64_t{1} << (slot / 64);
}

void EventQueue::Wheel::unmark(std::size_t slot) {
  used[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  if (used[slot / 64] == 0) used_words &= ~(std::uint64_t{1} << (slot / 64));
}

std::size_t EventQueue::Wheel::next_used(std::size_t from) const {
  if (from >= kSlots) return kSlots;
  const std::size_t word = from / 64;
  const std::uint64_t here = used[word] & (~std::uint64_t{0} << (from % 64));
  if (here != 0) return word * 64 + static_cast<std::size_t>(std::countr_zero(here));
  if (word == 63) return kSlots;
  const std::uint64_t words = used_words & (~std::uint64_t{0} << (word + 1));
  if (words == 0) return kSlots;
  const auto next = static_cast<std::size_t>(std::countr_zero(words));
  return next * 64 + static_cast<std::size_t>(std::countr_zero(used[next]));
}

EventQueue::EventQueue() {
  static_assert(kSlots / 64 <= 64, "one word says which words of a wheel are in use");
}

void EventQueue::push(Time at, EventKind kind, std::uint32_t subject) {
  ++size_;
  const Event event{at, subject, kind};
  if (tick(at) <= tick_) {
    insert_current(event);
  } else {
    place(event);
  }
}

Event EventQueue::pop() {
  const Event event = top();
  ++head_;
  --size_;
  if (current_.size() - head_ < kEventsAhead) look_ahead(tick(event.at) + kTicksAhead);
  if (head_ >= kCutOff && head_ * 2 > current_.size()) {
    current_.erase(current_.begin(), current_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return event;
}

// Into the wheel whose present turn the event's tick belongs to.
void EventQueue::place(Event event) {
  const std::uint64_t wanted = tick(event.at);
  for (std::size_t level = 0; level < kWheels; ++level) {
    const unsigned shift = static_cast<unsigned>(level) * kWheelBits;
    if (wanted >> (shift + kWheelBits) != tick_ >> (shift + kWheelBits)) continue;
    const std::size_t slot = static_cast<std::size_t>(wanted >> shift) & (kSlots - 1);
    append(wheels_[level].slots[slot], event);
    wheels_[level].mark(slot);
    return;
  }
  append(far_, event);
}

void EventQueue::append(Slot& slot, Event event) {
  if (slot.last == kNoChunk || slot.in_last == kChunk) {
    const std::uint32_t chunk = chunks_.take();
    (slot.last == kNoChunk ? slot.first : chunks_[slot.last].next) = chunk;
    slot.last = chunk;
    slot.in_last = 0;
  }
  chunks_[slot.last].events[slot.in_last++] = event;
}

// Behind all that are not later.
void EventQueue::insert_current(Event event) {
  const auto from = current_.begin() + static_cast<std::ptrdiff_t>(head_);
  current_.insert(std::upper_bound(from, current_.end(), event, earlier), event);
}

void EventQueue::open_next() {
  for (;;) {
    const std::size_t tick_slot = wheels_[0].next_used(static_cast<std::size_t>(tick_ % kSlots));
    if (tick_slot != kSlots) return open(tick_slot);
    std::size_t level = 1;
    for (; level < kWheels; ++level) {
      const unsigned shift = static_cast<unsigned>(level) * kWheelBits;
      const std::size_t now = static_cast<std::size_t>(tick_ >> shift) & (kSlots - 1);
      const std::size_t slot = wheels_[level].next_used(now + 1);
      if (slot == kSlots) continue;
      tick_ = ((tick_ >> shift) - now + slot) << shift;
      wheels_[level].unmark(slot);
      deal(wheels_[level].slots[slot]);
      break;
    }
    if (level < kWheels) continue;
    // Only what is far away is left: the wheels turn to the earliest of it.
    Time earliest = kNever;
    const auto look = [&earliest](const Event& event) { earliest = std::min(earliest, event.at); };
    visit_slot(far_, look);
    tick_ = tick(earliest);
    deal(far_);
  }
}

// Opens ticks of the present page up to `last` until enough events are known.
void EventQueue::look_ahead(std::uint64_t last) {
  while (current_.size() - head_ < kEventsAhead) {
    const std::size_t slot = wheels_[0].next_used(static_cast<std::size_t>(tick_ % kSlots));
    if (slot == kSlots || tick_ / kSlots * kSlots + slot > last) return;
    open(slot);
  }
}

// The slot of the first wheel becomes the present tick; its events come after those known.
void EventQueue::open(std::size_t slot) {
  tick_ = tick_ / kSlots * kSlots + slot;
  wheels_[0].unmark(slot);
  if (head_ == current_.size()) {
    current_.clear();
    head_ = 0;
  }
  const std::size_t known = current_.size();
  Slot& opened = wheels_[0].slots[slot];
  visit_slot(opened, [this](const Event& event) { current_.push_back(event); });
  drop(opened);
  sort_stably(std::span(current_).subspan(known));
}

// Places the events of a slot of a later wheel, in their order.
void EventQueue::deal(Slot& slot) {
  Slot dealt = std::exchange(slot, Slot{});
  visit_slot(dealt, [this](const Event& event) { place(event); });
  drop(dealt);
}

void EventQueue::drop(Slot& slot) {
  for (std::uint32_t at = slot.first; at != kNoChunk;) {
    const std::uint32_t next = at == slot.last ? kNoChunk : chunks_[at].next;
    chunks_.give_back(at);
    at = next;
  }
  slot = {};
}

void EventQueue::shrink() {
  std::vector<Event> waiting;
  waiting.reserve(size_);
  const auto keep = [&waiting](const Event& event) { waiting.push_back(event); };
  for (Wheel& wheel : wheels_) {
    for (Slot& slot : wheel.slots) visit_slot(slot, keep);
    wheel = Wheel();
  }
  visit_slot(far_, keep);
  far_ = {};
  chunks_ = {};
  current_.erase(current_.begin(), current_.begin() + static_cast<std::ptrdiff_t>(head_));
  current_.shrink_to_fit();
  head_ = 0;
  for (const Event& event : waiting) place(event);
}

}  // namespace pastry::sim
