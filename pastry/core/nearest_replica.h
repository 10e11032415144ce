// The way of a replica lookup near its key: to the nearest of the k by the metric, not to the
// closest by id.
//
// Source: [Pastry §2.5]. Prefix routing tends to reach a near one of the k nodes closest to a key
// first, but misses those whose ids begin otherwise than the key although they are next to it. The
// density of ids in the leaf set tells how far around a key its k closest nodes reach; a node that
// knows peers within that span chooses the nearest of them as the next hop.
#pragma once

#include <span>

#include "pastry/core/routing.h"

namespace pastry {

// The next hop, or kNoHandle where the ordinary rules have to find it (routing.h). Of the leaf set,
// the routing table and the neighbourhood set the nearest peer that is, or by the density of the
// leaf set seems to be, in the replica set of `key` (k >= 1); never one of `excluded`. Keeps the
// progress of ordinary hops: the peer is closer to the key than this node, and outside of the leaf
// set's range shares as long a prefix with it, within it has the key in its own leaf set's range.
// `self` is this node's own handle.
Handle nearest_replica(const Directory& directory, const Tables& tables, Handle self,
                       const Key& key, int k, std::span<const Handle> excluded);

}  // namespace pastry
