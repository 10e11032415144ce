#include "apps/sim/services/topic_tree.h"

#include <algorithm>
#include <set>

namespace pastry::cli {
namespace {

using scribe::TopicView;

std::string at(const NodeId& id, const std::string& what) {
  return id.hex().substr(0, 8) + " " + what;
}

bool has_child(const TopicView& view, const NodeId& child) {
  return std::find(view.children.begin(), view.children.end(), child) != view.children.end();
}

// The path to the root, which the node was told, is the one that its parents make.
std::string path_fault(const TreeViews& views, const NodeId& id, const TopicView& view) {
  std::vector<NodeId> path;
  const TopicView* at_node = &view;
  while (!at_node->root) {
    const auto parent = views.find(at_node->parent);
    if (parent == views.end()) return at(id, "is below a node that is not in the tree");
    if (path.size() >= views.size()) return at(id, "is in a circle");
    path.push_back(parent->first);
    at_node = &parent->second;
  }
  std::reverse(path.begin(), path.end());
  return path == view.path ? std::string() : at(id, "has a wrong path to the root");
}

std::string node_fault(const TreeViews& views, const NodeId& id, const TopicView& view,
                       const NodeId& root) {
  if (!view.attached) return at(id, "is not attached");
  if (view.root != (id == root)) {
    return at(id, view.root ? "is a second root" : "is nearest and not the root");
  }
  for (const NodeId& child : view.children) {
    const auto found = views.find(child);
    if (found == views.end() || found->second.root || found->second.parent != id) {
      return at(id, "has a child that does not know it");
    }
  }
  if (view.root) return {};
  if (view.root_id != root) return at(id, "names another root");
  const auto parent = views.find(view.parent);
  if (parent == views.end() || !has_child(parent->second, id)) {
    return at(id, "has a parent that does not know it");
  }
  if (view.children.empty() && view.subscribers == 0) return at(id, "stays without need");
  return path_fault(views, id, view);
}

}  // namespace

std::string tree_fault(const TreeViews& views, const NodeId& root) {
  for (const auto& [id, view] : views) {
    std::string fault = node_fault(views, id, view, root);
    if (!fault.empty()) return fault;
  }
  return {};
}

std::string walk_fault(const scribe::Tree& tree, const TreeViews& views) {
  if (tree.truncated) return "the walk is truncated";
  std::set<NodeId> seen;
  for (const scribe::TreeMember& member : tree.members) {
    const auto found = views.find(member.id);
    if (found == views.end()) return at(member.id, "was walked and is not in the tree");
    const TopicView& view = found->second;
    if (!seen.insert(member.id).second) return at(member.id, "was walked twice");
    if (!view.root && !seen.contains(member.parent))
      return at(member.id, "comes before its parent");
    if (member.parent != (view.root ? member.id : view.parent) ||
        member.depth != view.path.size() || member.children != view.children.size() ||
        member.subscribers != view.subscribers) {
      return at(member.id, "was described wrongly by the walk");
    }
  }
  return seen.size() == views.size() ? std::string() : "the walk missed nodes";
}

}  // namespace pastry::cli
