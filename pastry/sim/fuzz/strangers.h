// Who knows whom among the nodes of a simulation: what no protocol can mend is no fault of a node.
#pragma once

#include <span>
#include <vector>

#include "pastry/sim/simulator.h"

namespace pastry::sim::fuzz {

// Whether what is sent to this incarnation reaches a node.
bool answers(const Simulator& simulator, Handle peer);

// Those that run and were in a ring once: who comes back may found it again.
std::vector<NodeIndex> members(const Simulator& simulator);

// `seeds`, by node: through whom each came last, or kNoHandle.

// `node` runs, and nobody whom it may turn to answers.
bool knows_nobody(const Simulator& simulator, NodeIndex node, std::span<const Handle> seeds);

// One node each of those sets of `nodes`, which run, between which nobody knows anybody.
std::vector<NodeIndex> strangers(const Simulator& simulator, std::span<const NodeIndex> nodes,
                                 std::span<const Handle> seeds);

}  // namespace pastry::sim::fuzz
