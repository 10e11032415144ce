// What a node tells its user: typed events, in the order in which they happened.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "pastry/core/directory.h"
#include "pastry/core/error.h"
#include "pastry/core/id.h"

namespace pastry {

struct NodeActivated {};  // delivers from now on
struct NodeDeactivated {  // left, or lost its place and rejoins
  std::string reason;
};
struct NodeAlone {};  // sole survivor: every known peer is dead
struct PeerSuspected {
  Handle peer;
};
struct PeerDead {
  Handle peer;
};
struct LeafSetChanged {};
struct JoinFailed {  // one attempt; the node goes on trying
  std::string reason;
  // invalid, incompatible: whoever was asked refuses this node for what it is; no repetition helps.
  // conflict: somebody of its overlay does, because the two differ in what all must have in common.
  ErrorCode code = ErrorCode::unavailable;
};
// A message ended without delivery: hop limit, attempts used up, buffer full.
struct MessageDropped {
  Key key;
  std::string reason;
};
// An application has something to say (repair started, attached, …): for logs and subscribers.
struct ApplicationEvent {
  std::uint32_t application = 0;
  std::string name;
  std::string detail;
};

using NodeEvent = std::variant<NodeActivated, NodeDeactivated, NodeAlone, PeerSuspected, PeerDead,
                               LeafSetChanged, JoinFailed, MessageDropped, ApplicationEvent>;

}  // namespace pastry
