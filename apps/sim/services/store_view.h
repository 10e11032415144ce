// What the stores of simulated nodes hold, seen from outside.
#pragma once

#include <optional>
#include <vector>

#include "pastry/replica/entry.h"
#include "pastry/sim/simulator.h"

namespace pastry::cli {

// The entry in the node's store, whether the node runs or not; a tombstone is an entry.
std::optional<replica::EntryInfo> held(const sim::Simulator& simulator, sim::NodeIndex node,
                                       const StoreName& name);
// Its value; empty without an entry.
Payload held_value(const sim::Simulator& simulator, sim::NodeIndex node, const StoreName& name);
// The `count` active nodes closest to the key, or all; in the order of their indices.
std::vector<sim::NodeIndex> closest_active(const sim::Simulator& simulator, const Key& key,
                                           std::size_t count);

}  // namespace pastry::cli
