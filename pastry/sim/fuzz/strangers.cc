#include "pastry/sim/fuzz/strangers.h"

#include <algorithm>
#include <map>

namespace pastry::sim::fuzz {

bool answers(const Simulator& simulator, Handle peer) {
  const NodeIndex node = simulator.node_of(peer);
  if (simulator.status(node) != NodeStatus::up) return false;
  return simulator.handle(node) == peer || simulator.options().address_survives_restart;
}

std::vector<NodeIndex> members(const Simulator& simulator) {
  std::vector<NodeIndex> found;
  for (std::uint32_t i = 0; i < simulator.size(); ++i) {
    const NodeIndex node{i};
    const bool up = simulator.status(node) == NodeStatus::up;
    if (up && simulator.was_member(node)) found.push_back(node);
  }
  return found;
}

namespace {

std::vector<Handle> known_to(const Simulator& simulator, NodeIndex node,
                             std::span<const Handle> seeds) {
  std::vector<Handle> known = simulator.peers_known_to(node);
  const Handle seed = seeds[index(node)];
  if (seed != kNoHandle && !simulator.active(node)) known.push_back(seed);
  return known;
}

}  // namespace

bool knows_nobody(const Simulator& simulator, NodeIndex node, std::span<const Handle> seeds) {
  const std::vector<Handle> known = known_to(simulator, node, seeds);
  return std::none_of(known.begin(), known.end(),
                      [&](Handle peer) { return answers(simulator, peer); });
}

std::vector<NodeIndex> strangers(const Simulator& simulator, std::span<const NodeIndex> nodes,
                                 std::span<const Handle> seeds) {
  std::map<NodeIndex, NodeIndex> leader;
  for (const NodeIndex node : nodes) leader[node] = node;
  const auto find = [&](NodeIndex node) {
    while (leader[node] != node) node = leader[node];
    return node;
  };
  for (const NodeIndex node : nodes) {
    for (const Handle peer : known_to(simulator, node, seeds)) {
      const NodeIndex other = simulator.node_of(peer);
      if (answers(simulator, peer) && leader.contains(other)) leader[find(other)] = find(node);
    }
  }
  std::vector<NodeIndex> leaders;
  for (const auto& [node, above] : leader) {
    if (above == node) leaders.push_back(node);
  }
  return leaders;
}

}  // namespace pastry::sim::fuzz
