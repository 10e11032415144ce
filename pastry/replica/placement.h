// Who should hold an entry, and who may know more about it than this node.
#pragma once

#include <vector>

#include "pastry/core/application.h"

namespace pastry::replica {

struct Placement {
  std::vector<Handle> set;  // nearest first: the root at the front
  bool member = false;      // this node belongs to the set
  // The root chooses the same. Otherwise this node may take itself, or others, for members because
  // it does not see all that the root sees.
  bool sure = false;
};

bool contains(const std::vector<Handle>& nodes, Handle node);

// More than Config::replicas_max() counts as that.
Placement placement(Context context, const Key& key, int replicas);

// Whether this node and `peer` compare what they hold of the entry: both are members, as this node
// is sure or one of the two, the root, knows. Both sides of a comparison use this rule.
bool compared_with(Context context, const Placement& place, Handle peer);

// This node included. With small leaf sets a batch of newcomers may be the whole replica set: the
// neighbours just beyond know what was there before.
std::vector<Handle> who_may_know(Context context, const Key& key, int replicas);

}  // namespace pastry::replica
