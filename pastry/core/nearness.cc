#include "pastry/core/nearness.h"

#include <algorithm>

namespace pastry {
namespace {

// Everybody of known distance, nearest first.
std::vector<Neighbour> measured_peers(const Directory& directory, const Tables& tables) {
  std::vector<Neighbour> peers;
  const NeighbourhoodSet& near = tables.neighbourhood;
  for (std::size_t rank = 0; rank < near.size(); ++rank) {
    peers.push_back({near.at(rank), near.proximity_at(rank)});
  }
  tables.routing_table.for_each([&](Handle node, Proximity distance) {
    if (!near.contains(node)) peers.push_back({node, distance});
  });
  std::erase_if(peers, [](const Neighbour& peer) { return !peer.distance.known(); });
  std::sort(peers.begin(), peers.end(), [&](const Neighbour& a, const Neighbour& b) {
    if (a.distance != b.distance) return a.distance < b.distance;
    return directory.id(a.node) < directory.id(b.node);
  });
  return peers;
}

}  // namespace

Proximity distance_to(const Directory& directory, const Tables& tables, Handle peer) {
  const RoutingTable::Held held = tables.routing_table.slot_of(directory.id(peer));
  if (held.node == peer && held.proximity.known()) return held.proximity;
  return tables.neighbourhood.distance(peer);
}

Duration known_round_trip(const Config& config, const Directory& directory, const Tables& tables,
                          Handle peer) {
  constexpr Duration kUnknown{-1};
  if (config.metric != nullptr) return kUnknown;
  const Proximity distance = distance_to(directory, tables, peer);
  return distance.known() ? distance.round_trip() : kUnknown;
}

std::vector<Neighbour> nearest_peers(const Directory& directory, const Tables& tables,
                                     std::size_t count) {
  std::vector<Neighbour> peers = measured_peers(directory, tables);
  if (peers.size() > count) peers.resize(count);
  return peers;
}

std::vector<Neighbour> peers_within(const Directory& directory, const Tables& tables,
                                    Proximity limit) {
  std::vector<Neighbour> peers = measured_peers(directory, tables);
  const auto beyond = std::find_if(
      peers.begin(), peers.end(), [limit](const Neighbour& peer) { return peer.distance > limit; });
  peers.erase(beyond, peers.end());
  return peers;
}

}  // namespace pastry
