#include "pastry/core/nearest_replica.h"

#include <algorithm>

#include "pastry/core/nearness.h"

namespace pastry {
namespace {

// Keeps the nearest of the peers shown to it; of several that are equally near, or not measured,
// the closest to the key.
class Nearest {
 public:
  Nearest(const Directory& directory, const Key& key, std::span<const Handle> excluded)
      : directory_(&directory), key_(key), excluded_(excluded) {}

  void consider(Handle peer, Proximity proximity) {
    if (std::find(excluded_.begin(), excluded_.end(), peer) != excluded_.end()) return;
    const bool nearer =
        peer_ == kNoHandle || proximity < proximity_ ||
        (proximity == proximity_ && closer(key_, directory_->id(peer), directory_->id(peer_)));
    if (!nearer) return;
    peer_ = peer;
    proximity_ = proximity;
  }

  Handle peer() const { return peer_; }

 private:
  const Directory* directory_;
  Key key_;
  std::span<const Handle> excluded_;
  Handle peer_ = kNoHandle;
  Proximity proximity_;
};

// Half of k mean distances between neighbouring ids: as far as the k closest nodes reach on each
// side of a key. At most half the ring.
Id reach(const LeafSet& leaves, int k) {
  const Id spacing = leaves.mean_spacing();
  const Id half_ring(std::uint64_t{1} << 63, 0);
  Id sum;
  for (int i = 0; i < k; ++i) {
    sum = sum + spacing;
    if (sum < spacing || !(sum < half_ring)) return half_ring;
  }
  return {sum.high() >> 1, sum.high() << 63 | sum.low() >> 1};
}

// The side of the leaf set on which the key lies.
std::span<const Handle> towards(const Directory& directory, const Tables& tables, const Key& key) {
  const std::span<const Handle> right = tables.leaf_set.right();
  const bool here =
      !right.empty() && key - tables.self() <= directory.id(right.back()) - tables.self();
  return here ? right : tables.leaf_set.left();
}

// The members of the key's side have the key in their own leaf set's range: so few others are
// between. One of the other side, nearer to the key the other way around, need not: it would send
// the message to whoever has the longer prefix, perhaps back.
Handle nearest_leaf(const Directory& directory, const Tables& tables, Handle self, const Key& key,
                    int k, std::span<const Handle> excluded) {
  Nearest nearest(directory, key, excluded);
  const bool any_side = tables.leaf_set.knows_whole_ring();
  const std::span<const Handle> side = towards(directory, tables, key);
  for (const Handle member : replica_set(directory, tables, self, key, k)) {
    // This node may be one of the k itself, but is not sure of it: the root is.
    if (member == self) return kNoHandle;
    if (!closer(key, directory.id(member), tables.self())) continue;
    if (!any_side && std::find(side.begin(), side.end(), member) == side.end()) continue;
    nearest.consider(member, distance_to(directory, tables, member));
  }
  return nearest.peer();
}

}  // namespace

Handle nearest_replica(const Directory& directory, const Tables& tables, Handle self,
                       const Key& key, int k, std::span<const Handle> excluded) {
  if (tables.leaf_set.covers(key)) return nearest_leaf(directory, tables, self, key, k, excluded);
  const int bits = tables.routing_table.digit_bits();
  const int prefix = shared_prefix(tables.self(), key, bits);
  const Id span = reach(tables.leaf_set, k);
  Nearest nearest(directory, key, excluded);
  const auto consider = [&](Handle peer, Proximity proximity) {
    const NodeId& id = directory.id(peer);
    if (ring_distance(id, key) > span || !closer(key, id, tables.self())) return;
    if (shared_prefix(id, key, bits) >= prefix) nearest.consider(peer, proximity);
  };
  tables.routing_table.for_each_from(prefix, consider);
  for (std::size_t rank = 0; rank < tables.neighbourhood.size(); ++rank) {
    consider(tables.neighbourhood.at(rank), tables.neighbourhood.proximity_at(rank));
  }
  for (const Handle leaf : tables.leaf_set.members()) consider(leaf, Proximity());
  return nearest.peer();
}

}  // namespace pastry
