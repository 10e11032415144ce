// Immediate neighbours that leave requests for a lease unanswered, or should not have sent one
// [MSPastry §4.1].
#include <algorithm>

#include "pastry/core/liveness.h"
#include "pastry/core/node_state.h"

namespace pastry {

void Liveness::neighbour_silent(NodeState& node, Step& step, Handle peer) {
  if (probing(peer)) return;
  start_probe(node, step, {.peer = peer, .tries = 2, .leaf = true, .spread = true});
  first_silence(node, step, {peer});
}

void Liveness::correct(NodeState& node, Step& step, Handle peer) {
  if (!node.tables.leaf_set.contains(peer)) {
    exchange(node, step, peer);
  } else {
    node.send(step, peer, leaf_probe(node, step.now, true, 0));
  }
}

}  // namespace pastry
