// What must hold in a simulation, checked from outside against the simulator's own knowledge of who
// is active; shares no code with the tables it checks.
//
// All functions look at the present moment. check_leaf_order, check_tables and check_told hold at
// any time; check_ring and check_leaf_sets hold when membership has been quiet for long enough.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

// Violations, with a description of the first few.
struct Findings {
  std::uint64_t count = 0;
  std::vector<std::string> examples;

  bool ok() const { return count == 0; }
  void add(std::string description);
  void add(const Findings& others);
  // The examples in one text, for messages of tests.
  std::string text() const;
};

// The active node closest to `key` among those that hold their leases now, or kNoNode if there is
// none. A node that is paused or suspended holds none once they have run out.
NodeIndex closest_active(const Simulator& simulator, const Key& key);

// Whether `node`, which delivers `key` in this very step, is that node.
bool is_rightful_root(const Simulator& simulator, NodeIndex node, const Key& key);
// Whether fewer than `count` active nodes are closer to the key. `node` itself need not be active:
// only consistent lookups wait for leases.
bool is_one_of_closest(const Simulator& simulator, NodeIndex node, const Key& key, int count);

// The `count` active nodes closest to the key, closest first; all if there are fewer.
std::vector<NodeIndex> closest_active(const Simulator& simulator, const Key& key, int count);

// "node 12 (3f09…)": for messages.
std::string describe_node(const Simulator& simulator, NodeIndex node);

// Every node that is up is active, and its two immediate neighbours are those of the sorted list of
// active ids, in their current incarnation.
Findings check_ring(const Simulator& simulator);

// Both sides of every active node's leaf set are exactly the l/2 nearest active nodes.
Findings check_leaf_sets(const Simulator& simulator);

// Leaf set invariants of every running node: each side sorted by distance in its direction, at most
// l/2 long, without the own id, one handle per id.
Findings check_leaf_order(const Simulator& simulator);
// Of one running node.
Findings check_leaf_order(const Simulator& simulator, NodeIndex node);

// Routing table invariants of every running node: an entry in row r shares exactly r digits and
// stands in the column of its next digit.
Findings check_tables(const Simulator& simulator);

// No running node holds a peer that no message told it; nor sent one
// (SimulatorOptions::check_told).
Findings check_told(const Simulator& simulator);

// Of the routing-table slots for which an active node exists, the share that hold an active node.
double routing_table_fill(const Simulator& simulator);

// check_ring, check_leaf_sets, check_leaf_order, check_tables, and check_told if it is on.
Findings check_quiet_ring(const Simulator& simulator);

// Watches every delivery: a consistent message is delivered by the active node closest to its key
// that holds its leases, nobody near would deliver it, too, and it is delivered once. Uses the
// simulator's delivery hook; must outlive the simulation's run.
class DeliveryOracle {
 public:
  explicit DeliveryOracle(Simulator& simulator);

  std::uint64_t deliveries() const { return deliveries_; }
  std::uint64_t wrong_root() const { return wrong_root_; }
  std::uint64_t duplicates() const { return duplicates_; }
  const Findings& findings() const { return findings_; }

 private:
  struct MessageHash {
    std::size_t operator()(const std::pair<Handle, std::uint64_t>& message) const {
      return static_cast<std::size_t>(
          (message.second ^ (std::uint64_t{index(message.first)} << 32)) * 0x9e3779b97f4a7c15ULL);
    }
  };

  void delivered(NodeIndex node, const Delivery& delivery);

  Simulator& simulator_;
  std::uint64_t deliveries_ = 0;
  std::uint64_t wrong_root_ = 0;
  std::uint64_t duplicates_ = 0;
  Findings findings_;
  std::unordered_map<std::pair<Handle, std::uint64_t>, NodeIndex, MessageHash> seen_;
};

}  // namespace pastry::sim
