// Who is near by the proximity metric, as far as a node's tables tell: a pure function of them.
//
// The neighbourhood set holds the nearest peers that the node came to know [Pastry §2.1]; the
// routing table adds those of its entries whose distance is known. A node does not know everybody:
// nearer nodes may exist that it never heard of.
#pragma once

#include <cstddef>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/routing.h"

namespace pastry {

struct Neighbour {
  Handle node = kNoHandle;
  Proximity distance;  // known
};

// The distance to a peer; unknown if it never answered, if a metric cannot tell it, or if it is not
// kept any more.
Proximity distance_to(const Directory& directory, const Tables& tables, Handle peer);

// The round-trip time to a peer as it was measured; negative if that is not known, which it never
// is where a metric decides: the tables hold one distance for each peer.
Duration known_round_trip(const Config& config, const Directory& directory, const Tables& tables,
                          Handle peer);

// Up to `count` peers of known distance, nearest first; at the same distance in the order of ids.
std::vector<Neighbour> nearest_peers(const Directory& directory, const Tables& tables,
                                     std::size_t count);

// All peers known to be at most `limit` away, in the same order.
std::vector<Neighbour> peers_within(const Directory& directory, const Tables& tables,
                                    Proximity limit);

}  // namespace pastry
