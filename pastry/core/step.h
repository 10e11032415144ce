// One input being carried out: its time, where effects go, and what it left to do at this node.
//
// For Context and the node's parts. A step runs to completion: what a downcall causes at the node
// itself is queued here and done after the upcall that made it returned, so nothing re-enters.
#pragma once

#include <variant>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/message.h"
#include "pastry/core/outbox.h"
#include "pastry/core/timestamp.h"

namespace pastry {

// Whether the hop before still keeps a copy of a message, and knows why.
enum class Custody : unsigned char {
  here,  // no copy, or there is no hop before
  due,   // it waits for an acknowledgement
  held,  // it was told that the message is held here
};

// A message that starts here (or was kept until the node became active).
struct LocalRoute {
  Routed message;
  Handle previous = kNoHandle;
  Handle hint = kNoHandle;
  Time keep_until = kNever;  // waited for a root before: given up then
  bool offered = false;      // the application's forward() saw it here already
  Custody custody = Custody::here;
};

// A direct message of the node to itself.
struct LocalDirect {
  Direct message;
};

// The result of a route() whose root is this node, or that failed here.
struct LocalOutcome {
  std::uint64_t sequence = 0;
  RouteResult result = RouteResult::delivered;
  Handle root = kNoHandle;
  std::uint16_t hops = 0;
};

using LocalWork = std::variant<LocalRoute, LocalDirect, LocalOutcome>;

struct Step {
  Time now{};
  Outbox* out = nullptr;
  std::vector<LocalWork> work;
};

}  // namespace pastry
