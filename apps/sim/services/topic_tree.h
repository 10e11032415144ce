// Whether what the nodes keep of a topic is one tree, judged from outside.
#pragma once

#include <map>
#include <string>

#include "scribe/scribe.h"

namespace pastry::cli {

// The views of the nodes that are in the tree.
using TreeViews = std::map<NodeId, scribe::TopicView>;

// Empty if they are one tree under `root`, with nobody in it who is not needed; else what is wrong.
std::string tree_fault(const TreeViews& views, const NodeId& root);

// The same for what a walk collected, compared with a tree that is right.
std::string walk_fault(const scribe::Tree& tree, const TreeViews& views);

}  // namespace pastry::cli
