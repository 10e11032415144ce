#include "pastry/zmq/inbox.h"

#include <utility>

namespace pastry::host {
namespace {

// What a message costs besides its payload, roughly.
constexpr std::size_t kMessageBytes = 512;

std::size_t cost(const Message& message) {
  if (const auto* routed = std::get_if<Routed>(&message))
    return kMessageBytes + routed->payload.size();
  if (const auto* direct = std::get_if<Direct>(&message))
    return kMessageBytes + direct->payload.size();
  return kMessageBytes;
}

}  // namespace

void Inbox::add(Time now, const NodeId& from, const NodeId& to, InboxMessage message) {
  bytes_ += cost(message.message);
  if (!topology_) {
    due_.push_back(std::move(message));
    return;
  }
  const Duration delay = topology_->delay(from.high(), to.high());
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(std::move(message));
  } else {
    slot = free_.back();
    free_.pop_back();
    slots_[slot] = std::move(message);
  }
  ++slots_used_;
  waiting_.push({now + delay, ++sequence_, slot});
}

bool Inbox::next(Time now, InboxMessage& message) {
  if (!due_.empty()) {
    message = std::move(due_.front());
    due_.pop_front();
  } else if (!waiting_.empty() && waiting_.top().at <= now) {
    const std::uint32_t slot = waiting_.top().slot;
    waiting_.pop();
    message = std::exchange(slots_[slot], InboxMessage{});
    free_.push_back(slot);
    --slots_used_;
  } else {
    return false;
  }
  bytes_ -= cost(message.message);
  return true;
}

Time Inbox::deadline() const {
  if (!due_.empty()) return Time::min();
  return waiting_.empty() ? kNever : waiting_.top().at;
}

}  // namespace pastry::host
