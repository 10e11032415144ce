// The routing procedure as a pure function of a node's tables [Pastry §2.2].
#pragma once

#include <span>

#include "pastry/core/leaf_set.h"
#include "pastry/core/neighbourhood_set.h"
#include "pastry/core/routing_table.h"

namespace pastry {

// The three tables of a node, and whose they are.
struct Tables {
  LeafSet leaf_set;
  RoutingTable routing_table;
  NeighbourhoodSet neighbourhood;

  Tables(const Directory& directory, const NodeId& self, int digit_bits, int leaf_set_size,
         int neighbourhood_size);

  // The other tables look at the leaf set for whose they are.
  Tables(const Tables& other);
  Tables& operator=(const Tables&) = delete;

  const NodeId& self() const { return leaf_set.self(); }

  // Everybody in the neighbourhood set or the routing table, each once.
  template <typename Function>
  void for_each_beyond_leaves(Function&& function) const {
    for (std::size_t rank = 0; rank < neighbourhood.size(); ++rank) {
      function(neighbourhood.at(rank));
    }
    routing_table.for_each([&](Handle peer, Proximity) {
      if (!neighbourhood.contains(peer)) function(peer);
    });
  }
};

enum class RoutingRule : unsigned char {
  deliver,        // this node is the closest of its leaf set
  leaf_set,       // rule 1: the key is within the leaf set's range
  routing_table,  // rule 2: one more digit
  rare_case,      // rule 3: as long a prefix and numerically closer
  stuck,          // every node that would do is excluded
};

struct NextHop {
  RoutingRule rule = RoutingRule::stuck;
  Handle node = kNoHandle;  // kNoHandle for deliver and stuck
};

// Where a message with `key` goes from this node.
//  1. key within the leaf set's range: the closest of L and self. `excluded` does not apply: only
//     this node may be the root, so the caller keeps trying it until it is declared dead.
//  2. otherwise the entry R[r][key digit r], r = shared prefix of key and self, unless excluded.
//  3. otherwise of L, R and M the node closest to the key among those that share at least r digits
//     with it, are numerically closer to it than self, and are not excluded.
// If nothing remains and self is closer than all of L: deliver; if only excluded nodes remain:
// stuck. Every hop lengthens the shared prefix, or keeps it and shrinks the distance.
NextHop next_hop(const Directory& directory, const Tables& tables, const Key& key,
                 std::span<const Handle> excluded = {});

// Of this node and its leaf set, in ring order, those that the root of `key` surely has in its own
// leaf set (or is): it stands in the middle of l nodes, this node sees l others. What the root does
// not see takes no part in its choice.
std::vector<Handle> root_view(const Tables& tables, Handle self, const Key& key);

// The replica set of `key`: up to k nodes in the order of their distance to the key, nearest first,
// the node itself among them as `self`. Walks outwards from the key, skips nodes of a failure
// domain already used, then fills up from the skipped (ARCHITECTURE.md, storage). The root decides:
// others choose from their root_view(), so that whoever the root chose finds itself in its own set,
// with this k and any larger one. `self` is this node's own handle in the directory. A pure
// function of the leaf set and the domain labels; correct as long as key is within the range of the
// leaf set and k <= l/2 + 1.
std::vector<Handle> replica_set(const Directory& directory, const Tables& tables, Handle self,
                                const Key& key, int k);

// Whether replica_set() is for sure what the root chooses.
bool knows_replica_set(const Directory& directory, const Tables& tables, Handle self,
                       const Key& key, int k);

}  // namespace pastry
