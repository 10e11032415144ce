#include "pastry/core/routing.h"

#include <algorithm>

#include "pastry/core/planted_bugs.h"

namespace pastry {
namespace {

bool contains(std::span<const Handle> nodes, Handle node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

// Routing rule 3: keeps the best of the nodes shown to it.
class RareCase {
 public:
  RareCase(const Directory& directory, const Tables& tables, const Key& key,
           std::span<const Handle> excluded)
      : directory_(&directory),
        key_(key),
        best_id_(tables.self()),
        excluded_(excluded),
        digit_bits_(tables.routing_table.digit_bits()),
        prefix_(shared_prefix(tables.self(), key, digit_bits_)) {}

  void consider(Handle node) {
    const NodeId& id = directory_->id(node);
    const bool careless = PASTRY_BUG(detour_without_progress) && !excluded_.empty();
    if (!closer(key_, id, best_id_) && !careless) return;
    if (shared_prefix(id, key_, digit_bits_) < prefix_) return;
    if (contains(excluded_, node)) {
      excluded_would_do_ = true;
      return;
    }
    best_ = node;
    best_id_ = id;
  }

  int prefix() const { return prefix_; }
  Handle best() const { return best_; }
  bool excluded_would_do() const { return excluded_would_do_; }

 private:
  const Directory* directory_;
  Key key_;
  NodeId best_id_;
  std::span<const Handle> excluded_;
  int digit_bits_;
  int prefix_;
  Handle best_ = kNoHandle;
  bool excluded_would_do_ = false;
};

bool domains_differ(const Directory& directory, const std::vector<Handle>& nodes) {
  for (auto node = nodes.begin(); node != nodes.end(); ++node) {
    const auto alike = [&](Handle other) { return directory.same_domain(*node, other); };
    if (std::any_of(std::next(node), nodes.end(), alike)) return false;
  }
  return true;
}

}  // namespace

Tables::Tables(const Directory& directory, const NodeId& self_id, int digit_bits, int leaf_set_size,
               int neighbourhood_size)
    : leaf_set(directory, self_id, leaf_set_size),
      routing_table(directory, leaf_set.self(), digit_bits),
      neighbourhood(directory, leaf_set.self(), neighbourhood_size) {}

Tables::Tables(const Tables& other)
    : leaf_set(other.leaf_set),
      routing_table(other.routing_table, leaf_set.self()),
      neighbourhood(other.neighbourhood, leaf_set.self()) {}

NextHop next_hop(const Directory& directory, const Tables& tables, const Key& key,
                 std::span<const Handle> excluded) {
  if (tables.leaf_set.covers(key)) {
    const Handle closest = tables.leaf_set.closest(key);
    if (closest == kNoHandle) return {RoutingRule::deliver, kNoHandle};
    return {RoutingRule::leaf_set, closest};
  }
  const Handle entry = tables.routing_table.next_for(key);
  if (entry != kNoHandle && !contains(excluded, entry)) return {RoutingRule::routing_table, entry};

  RareCase candidates(directory, tables, key, excluded);
  for (const Handle node : tables.leaf_set.left()) candidates.consider(node);
  for (const Handle node : tables.leaf_set.right()) candidates.consider(node);
  // Entries of the rows above share fewer digits with the key than this node does.
  tables.routing_table.for_each_from(
      candidates.prefix(), [&](Handle node, proximity::Proximity) { candidates.consider(node); });
  for (std::size_t rank = 0; rank < tables.neighbourhood.size(); ++rank) {
    candidates.consider(tables.neighbourhood.at(rank));
  }
  if (candidates.best() != kNoHandle) return {RoutingRule::rare_case, candidates.best()};
  const bool deliver = entry == kNoHandle && !candidates.excluded_would_do() &&
                       tables.leaf_set.closest(key) == kNoHandle;
  return {deliver ? RoutingRule::deliver : RoutingRule::stuck, kNoHandle};
}

std::vector<Handle> root_view(const Tables& tables, Handle self, const Key& key) {
  const LeafSet& leaves = tables.leaf_set;
  if (leaves.knows_whole_ring()) {
    std::vector<Handle> ring = leaves.members();
    ring.push_back(self);
    return ring;
  }
  std::vector<Handle> arc(leaves.left().rbegin(), leaves.left().rend());
  arc.push_back(self);
  arc.insert(arc.end(), leaves.right().begin(), leaves.right().end());
  const Handle closest = leaves.closest(key);
  const auto root = std::find(arc.begin(), arc.end(), closest == kNoHandle ? self : closest);
  const std::ptrdiff_t reach = leaves.capacity() / 2;
  const auto first = root - std::min(reach, root - arc.begin());
  const auto last = root + std::min(reach, arc.end() - root - 1);
  return {first, last + 1};
}

std::vector<Handle> replica_set(const Directory& directory, const Tables& tables, Handle self,
                                const Key& key, int k) {
  if (k <= 0) return {};
  const auto wanted = static_cast<std::size_t>(k);
  std::vector<Handle> nearest = root_view(tables, self, key);
  std::sort(nearest.begin(), nearest.end(),
            [&](Handle a, Handle b) { return closer(key, directory.id(a), directory.id(b)); });
  if (nearest.size() <= wanted) return nearest;

  std::vector<Handle> chosen;
  std::vector<bool> taken(nearest.size());
  for (std::size_t i = 0; i < nearest.size() && chosen.size() < wanted; ++i) {
    taken[i] = std::none_of(chosen.begin(), chosen.end(),
                            [&](Handle node) { return directory.same_domain(node, nearest[i]); });
    if (taken[i]) chosen.push_back(nearest[i]);
  }
  // Fewer domains than copies: the nearest of those passed over.
  for (std::size_t i = 0, count = chosen.size(); i < nearest.size() && count < wanted; ++i) {
    if (taken[i]) continue;
    taken[i] = true;
    ++count;
  }
  chosen.clear();
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    if (taken[i]) chosen.push_back(nearest[i]);
  }
  return chosen;
}

bool knows_replica_set(const Directory& directory, const Tables& tables, Handle self,
                       const Key& key, int k) {
  const LeafSet& leaves = tables.leaf_set;
  if (leaves.knows_whole_ring()) return true;
  if (!leaves.covers(key)) return false;
  const bool root = leaves.closest(key) == kNoHandle;
  if (root && leaves.complete()) return true;  // it decides, by what it sees
  const std::vector<Handle> chosen = replica_set(directory, tables, self, key, k);
  // One of a new failure domain, however far, would come before a second one of the same.
  if (static_cast<int>(chosen.size()) < k || !domains_differ(directory, chosen)) return false;
  // Whom the root sees and this node does not lies beyond an end of the view: farther from the key
  // than the node at that end, and could only take the place of one that is farther still.
  const std::vector<Handle> view = root_view(tables, self, key);
  const NodeId& farthest = directory.id(chosen.back());
  return !closer(key, directory.id(view.front()), farthest) &&
         !closer(key, directory.id(view.back()), farthest);
}

}  // namespace pastry
