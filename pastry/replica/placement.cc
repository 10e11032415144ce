#include "pastry/replica/placement.h"

#include <algorithm>

namespace pastry::replica {

namespace {

constexpr std::size_t kNeighboursAsked = 8;

}  // namespace

bool contains(const std::vector<Handle>& nodes, Handle node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

Placement placement(Context context, const Key& key, int replicas) {
  const int k = std::min(replicas, context.config().replicas_max());
  Placement place;
  place.set = context.replica_set(key, k);
  place.member = contains(place.set, context.self());
  place.sure = context.knows_replica_set(key, k);
  return place;
}

bool compared_with(Context context, const Placement& place, Handle peer) {
  if (!place.member || !contains(place.set, peer)) return false;
  const Handle root = place.set.front();
  return place.sure || root == peer || root == context.self();
}

std::vector<Handle> who_may_know(Context context, const Key& key, int replicas) {
  std::vector<Handle> nodes =
      context.replica_set(key, std::min(replicas, context.config().replicas_max()));
  for (const Handle node : context.neighbor_set(kNeighboursAsked)) {
    if (!contains(nodes, node)) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace pastry::replica
