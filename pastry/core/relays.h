// Links that do not work straight, and the third node that carries messages over them.
//
// Two nodes that both reach a third need not reach each other. Where a probe is answered only over
// a common leaf, the peer stays a member and what goes to it takes that way, until a ping on the
// straight link is answered. Each direction is judged by itself: a link may work one way only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/timestamp.h"

namespace pastry {

class Relays {
 public:
  struct Route {
    Handle peer = kNoHandle;
    Handle via = kNoHandle;
    Time check_at{};          // when the straight link is tried again
    Time sent_at{};           // of the last such try
    std::uint32_t token = 0;  // of the last such try
    bool straight = false;    // it was answered: messages go straight
  };

  // Over whom messages to `peer` go; kNoHandle: straight.
  Handle via(Handle peer) const {
    for (const Route& route : routes_) {
      if (route.peer == peer) return route.straight ? kNoHandle : route.via;
    }
    return kNoHandle;
  }
  // A message of `peer` came over `via`. A new route is due at once.
  void learn(Handle peer, Handle via, Time now);
  // The peer answered a try of the straight link; null if it did not.
  const Route* answered(Handle peer, std::uint32_t token, Time check_at);
  // A try that is due, or null. The pointer is valid until the next change.
  Route* due(Time now);
  // True if there was a route to `peer`.
  bool erase(Handle peer);
  // Over whom the routes go, straight ones too.
  std::vector<Handle> in_use() const;
  // Erases the routes over `via` and returns whom they led to.
  std::vector<Handle> lose(Handle via);

  Time deadline() const;
  bool empty() const { return routes_.empty(); }
  void mark_handles(Directory& directory) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace pastry
