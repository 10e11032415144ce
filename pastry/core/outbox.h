// What one or more steps of a node want done. The host empties it after each input or batch.
#pragma once

#include <utility>
#include <vector>

#include "pastry/core/event.h"
#include "pastry/core/message.h"
#include "pastry/core/storage.h"

namespace pastry {

struct Send {
  Send() = default;
  Send(Handle peer, Priority urgency, Message&& content)
      : to(peer), priority(urgency), message(std::move(content)) {}

  Handle to = kNoHandle;  // never the sending node itself
  Priority priority = Priority::control;
  Message message;
};

struct Outbox {
  std::vector<Send> sends;
  std::vector<StorageRequest> storage;
  std::vector<NodeEvent> events;

  void clear() {
    sends.clear();
    storage.clear();
    events.clear();
  }
  bool empty() const { return sends.empty() && storage.empty() && events.empty(); }
};

}  // namespace pastry
