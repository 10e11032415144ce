// The other side of a gap: the successor, which holds the places of a batch while it joins.
#include <utility>

#include "pastry/core/gap.h"
#include "pastry/core/marks.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

void Gap::receive(NodeState& node, Step& step, Handle from, GapReserve&& reserve) {
  const LeafSet& leaves = node.tables.leaf_set;
  const auto refuse = [&](Handle predecessor) {
    node.send(step, from, GapReserveReply{reserve.batch, false, predecessor});
  };
  if (!node.active() || reserve.joiners.empty()) {
    note(*node.config, Mark::reserve_refused_inactive);
    return refuse(kNoHandle);
  }
  if (node.leases.guarded_until(node, false, reserve.joiners) > step.now) return refuse(kNoHandle);
  // A restarted node must not be hindered by its own earlier incarnation.
  for (const Handle joiner : reserve.joiners) node.liveness.replace_older(node, step, joiner);
  const bool repeated = reserved_by_ == from && reserved_batch_ == reserve.batch;
  if (repeated) note(*node.config, Mark::reserve_heard_again);
  if (!repeated) {
    const Handle left = leaves.left_neighbour();
    if (left != kNoHandle && left != from &&
        strictly_between(node.id(left), node.id(from), node.self_id())) {
      note(*node.config, Mark::reserve_refused_not_neighbour);
      node.liveness.check(node, step, left);  // perhaps it is gone and only the sender knows
      return refuse(left);
    }
    for (const Handle joiner : reserve.joiners) {
      if (!strictly_between(node.id(joiner), node.id(from), node.self_id())) {
        ++node.counters.refused;
        return refuse(kNoHandle);
      }
    }
  }
  node.insert_leaf(step, from);
  reserved_by_ = from;
  reserved_batch_ = reserve.batch;
  reserved_until_ = step.now + node.config->gap_expiry;
  if (PASTRY_BUG(reserved_unbounded)) {
    for (const Handle joiner : reserved_for_) reserve.joiners.push_back(joiner);
  }
  reserved_for_ = reserve.joiners;
  for (const Handle joiner : reserve.joiners) {
    if (!leaves.contains(joiner)) node.liveness.set_active(node, step, joiner, false);
    if (PASTRY_BUG(successor_does_not_shrink)) continue;
    node.insert_leaf(step, joiner);
  }
  node.send(step, from, GapReserveReply{reserve.batch, true, kNoHandle});
}

void Gap::receive(NodeState&, Step&, Handle from, const GapRelease& release) {
  if (from != reserved_by_ || release.batch != reserved_batch_) return;
  reserved_by_ = kNoHandle;
  reserved_for_.clear();
  reserved_until_ = kNever;
}

void Gap::expire_reservation(NodeState& node, Step& step) {
  note(*node.config, Mark::reservation_expired);
  // The owner fell silent: joiners that never got their grant do not answer and leave as dead.
  reserved_until_ = kNever;
  reserved_by_ = kNoHandle;
  const std::vector<Handle> joiners = std::exchange(reserved_for_, {});
  for (const Handle joiner : joiners) {
    if (node.tables.leaf_set.contains(joiner)) node.liveness.check(node, step, joiner);
  }
}

}  // namespace pastry
