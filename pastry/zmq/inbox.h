// Messages on their way to a local node: at once, or after the delay that a topology emulates.
//
// Order per pair of nodes is kept, because the delay of a pair never changes and the clock never
// goes back.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "pastry/core/message.h"
#include "pastry/core/timestamp.h"
#include "proximity/topology.h"

namespace pastry::host {

struct InboxMessage {
  std::size_t node = 0;  // index of the local node
  Handle from = kNoHandle;
  Message message;
};

class Inbox {
 public:
  // No topology: no delay.
  Inbox(std::shared_ptr<const proximity::Topology> topology, std::size_t bytes_max)
      : topology_(std::move(topology)), bytes_max_(bytes_max) {}

  bool delays() const { return topology_ != nullptr; }
  void add(Time now, const NodeId& from, const NodeId& to, InboxMessage message);

  // The next message that is due, or nothing.
  bool next(Time now, InboxMessage& message);
  // When next() will have one; kNever if empty.
  Time deadline() const;

  // Over its bound: nothing more should be read from the sockets.
  bool full() const { return bytes_ > bytes_max_; }
  bool empty() const { return due_.empty() && slots_used_ == 0; }

  // Calls visit(const InboxMessage&) for every message.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const InboxMessage& message : due_) visit(message);
    for (const InboxMessage& message : slots_)
      if (message.from != kNoHandle) visit(message);
  }

 private:
  struct Waiting {
    Time at;
    std::uint64_t sequence;
    std::uint32_t slot;
    // For a heap with the earliest on top.
    bool operator<(const Waiting& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };

  std::shared_ptr<const proximity::Topology> topology_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t sequence_ = 0;
  std::size_t slots_used_ = 0;
  std::deque<InboxMessage> due_;  // without delay
  std::priority_queue<Waiting> waiting_;
  std::vector<InboxMessage> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace pastry::host
