// Requests to join that were passed on to a node of which it is not known whether it lives.
//
// Nobody acknowledges a request on its way to the gap. Where few messages pass, a dead entry of the
// routing table stays unnoticed for minutes, and as the nodes of a region hold the same near
// entries, one joiner's requests may all end at it, whichever seed they start from. So whoever
// passes a request on to such a node pings that node, and passes it on again if there is no answer.
#pragma once

#include <cstddef>
#include <vector>

#include "pastry/core/message.h"

namespace pastry {

class Directory;
class Liveness;

class PassedJoins {
 public:
  // Until the ping of `next`, which is under way, has ended. The newest request of a joiner counts;
  // beyond a bound the oldest ones are given up: joiners ask again.
  void keep(Handle next, const JoinRequest& request);
  // Those that went to a node that was found dead, for another way.
  std::vector<JoinRequest> take(Handle dead);
  // `joiner` died, or asked anew.
  void drop(Handle joiner);
  // Those whose next hop answered are no concern any more.
  void forget_answered(const Liveness& liveness);

  bool empty() const { return passed_.empty(); }
  void mark_handles(Directory& directory) const;

 private:
  struct Passed {
    Handle next;
    JoinRequest request;
  };
  std::vector<Passed> passed_;  // oldest first
};

}  // namespace pastry
