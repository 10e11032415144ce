#include "pastry/sim/checkers.h"

#include <algorithm>
#include <span>
#include <utility>

namespace pastry::sim {

namespace {

// Slots of all routing tables together for which a node exists. Of nodes that share their first
// `row` digits, each can fill a slot in that row per other digit that comes next among them.
std::uint64_t possible_entries(std::span<const NodeId> sorted, int digit_bits) {
  struct Group {
    std::span<const NodeId> nodes;
    int row;
  };
  std::uint64_t possible = 0;
  std::vector<Group> groups = {{sorted, 0}};
  while (!groups.empty()) {
    const Group group = groups.back();
    groups.pop_back();
    if (group.nodes.size() < 2 || group.row == digit_count(digit_bits)) continue;
    std::uint64_t digits = 0;
    for (auto begin = group.nodes.begin(); begin != group.nodes.end(); ++digits) {
      const int here = digit(*begin, group.row, digit_bits);
      const auto end = std::partition_point(begin, group.nodes.end(), [&](const NodeId& id) {
        return digit(id, group.row, digit_bits) == here;
      });
      groups.push_back({{begin, end}, group.row + 1});
      begin = end;
    }
    possible += group.nodes.size() * (digits - 1);
  }
  return possible;
}

constexpr std::size_t kExamples = 8;

std::string who(const Simulator& simulator, Handle handle) {
  if (handle == kNoHandle) return "nobody";
  return describe_node(simulator, simulator.node_of(handle)) + "/" +
         std::to_string(simulator.directory().incarnation(handle));
}

template <typename Check>
Findings for_running(const Simulator& simulator, Check&& check) {
  Findings findings;
  for (std::uint32_t i = 0; i < simulator.size(); ++i) {
    const NodeIndex node{i};
    if (simulator.running(node)) check(node, simulator.node(node).tables(), findings);
  }
  return findings;
}

void check_side_order(const Simulator& simulator, NodeIndex node, std::span<const Handle> side,
                      bool upwards, Findings& findings) {
  const NodeId& self = simulator.id(node);
  Id last;
  for (const Handle member : side) {
    const NodeId& id = simulator.directory().id(member);
    const Id distance = upwards ? id - self : self - id;
    if (distance == Id{}) {
      findings.add(describe_node(simulator, node) + " has its own id in its leaf set");
    } else if (distance <= last) {
      findings.add(describe_node(simulator, node) + " has an unsorted leaf set at " +
                   who(simulator, member));
    }
    last = distance;
  }
  if (side.size() > static_cast<std::size_t>(simulator.config().leaf_set / 2)) {
    findings.add(describe_node(simulator, node) + " has more than l/2 members on one side");
  }
}

// The active nodes in the order of their ids.
std::vector<NodeIndex> sorted_active(const Simulator& simulator) {
  std::vector<NodeIndex> ring;
  ring.reserve(simulator.active_nodes().size());
  for (const auto& [id, node] : simulator.active_nodes()) ring.push_back(node);
  return ring;
}

// Somebody among the active nodes around `key` who would deliver it now, `root` apart.
NodeIndex other_root(const Simulator& simulator, NodeIndex root, const Key& key) {
  const auto& active = simulator.active_nodes();
  const auto near = std::min<std::size_t>(active.size(), 4);
  auto up = active.lower_bound(key);
  auto down = up;
  const auto is_rival = [&](NodeIndex node) {
    return node != root && simulator.node(node).would_deliver(key, simulator.now());
  };
  for (std::size_t step = 0; step < near; ++step) {
    if (up == active.end()) up = active.begin();
    if (down == active.begin()) down = active.end();
    --down;
    if (is_rival(up->second)) return up->second;
    if (is_rival(down->second)) return down->second;
    ++up;
  }
  return kNoNode;
}

}  // namespace

void Findings::add(std::string description) {
  ++count;
  if (examples.size() < kExamples) examples.push_back(std::move(description));
}

void Findings::add(const Findings& others) {
  count += others.count;
  for (const std::string& example : others.examples) {
    if (examples.size() < kExamples) examples.push_back(example);
  }
}

std::string Findings::text() const {
  std::string text = std::to_string(count) + " violations";
  for (const std::string& example : examples) text += "\n  " + example;
  return text;
}

NodeIndex closest_active(const Simulator& simulator, const Key& key) {
  const auto& active = simulator.active_nodes();
  const auto next_holder = [&](auto from, bool upwards) {
    for (std::size_t seen = 0; seen < active.size(); ++seen) {
      if (upwards && from == active.end()) from = active.begin();
      if (!upwards && from == active.begin()) from = active.end();
      if (!upwards) --from;
      if (simulator.node(from->second).holds_leases(simulator.now())) return from;
      if (upwards) ++from;
    }
    return active.end();
  };
  const auto after = next_holder(active.lower_bound(key), true);
  if (after == active.end()) return kNoNode;
  const auto before = next_holder(active.lower_bound(key), false);
  return closer(key, after->first, before->first) ? after->second : before->second;
}

bool is_rightful_root(const Simulator& simulator, NodeIndex node, const Key& key) {
  const NodeIndex root = closest_active(simulator, key);
  // A node that became active in this very step is not in the list yet.
  return root == node || (simulator.node(node).holds_leases(simulator.now()) &&
                          (root == kNoNode || closer(key, simulator.id(node), simulator.id(root))));
}

bool is_one_of_closest(const Simulator& simulator, NodeIndex node, const Key& key, int count) {
  const auto& active = simulator.active_nodes();
  // Those closer than `node` lie on both sides of the key, next to it.
  const NodeId& self = simulator.id(node);
  const auto size = static_cast<int>(active.size());
  const auto acts_closer = [&](const auto& other) {
    return other.first != self && simulator.status(other.second) == NodeStatus::up &&
           closer(key, other.first, self);
  };
  int closer_ones = 0;
  auto up = active.lower_bound(key);
  auto down = up;
  for (int step = 0; step < std::min(count, size); ++step) {
    if (up == active.end()) up = active.begin();
    if (acts_closer(*up)) ++closer_ones;
    ++up;
  }
  for (int step = 0; step < std::min(count, size - count); ++step) {
    if (down == active.begin()) down = active.end();
    --down;
    if (acts_closer(*down)) ++closer_ones;
  }
  return closer_ones < count;
}

std::vector<NodeIndex> closest_active(const Simulator& simulator, const Key& key, int count) {
  const auto& active = simulator.active_nodes();
  std::vector<NodeIndex> nodes;
  const auto take = [&](const auto& member) {
    if (simulator.status(member.second) != NodeStatus::up) return false;
    nodes.push_back(member.second);
    return true;
  };
  const auto wanted = static_cast<std::size_t>(std::max(count, 0));
  auto up = active.lower_bound(key);
  auto down = up;
  std::size_t left = active.size();
  for (std::size_t taken = 0; taken < wanted && left > 0; --left) {
    if (up == active.end()) up = active.begin();
    taken += take(*up++) ? 1 : 0;
  }
  for (std::size_t taken = 0; taken < wanted && left > 0; --left) {
    if (down == active.begin()) down = active.end();
    taken += take(*--down) ? 1 : 0;
  }
  std::sort(nodes.begin(), nodes.end(), [&](NodeIndex a, NodeIndex b) {
    return closer(key, simulator.id(a), simulator.id(b));
  });
  if (nodes.size() > wanted) nodes.resize(wanted);
  return nodes;
}

std::string describe_node(const Simulator& simulator, NodeIndex node) {
  if (node == kNoNode) return "an unknown node";
  return "node " + std::to_string(index(node)) + " (" + simulator.id(node).hex().substr(0, 8) + ")";
}

Findings check_ring(const Simulator& simulator) {
  Findings findings;
  for (std::uint32_t i = 0; i < simulator.size(); ++i) {
    const NodeIndex node{i};
    if (simulator.status(node) == NodeStatus::up && !simulator.active(node)) {
      findings.add(describe_node(simulator, node) + " is up but not active");
    }
  }
  const std::vector<NodeIndex> ring = sorted_active(simulator);
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const NodeIndex node = ring[i];
    const LeafSet& leaf_set = simulator.node(node).tables().leaf_set;
    const NodeIndex left = ring[(i + ring.size() - 1) % ring.size()];
    const NodeIndex right = ring[(i + 1) % ring.size()];
    const Handle expected_left = ring.size() == 1 ? kNoHandle : simulator.handle(left);
    const Handle expected_right = ring.size() == 1 ? kNoHandle : simulator.handle(right);
    if (leaf_set.left_neighbour() != expected_left) {
      findings.add(describe_node(simulator, node) + " has left neighbour " +
                   who(simulator, leaf_set.left_neighbour()) + " instead of " +
                   who(simulator, expected_left));
    }
    if (leaf_set.right_neighbour() != expected_right) {
      findings.add(describe_node(simulator, node) + " has right neighbour " +
                   who(simulator, leaf_set.right_neighbour()) + " instead of " +
                   who(simulator, expected_right));
    }
  }
  return findings;
}

Findings check_leaf_sets(const Simulator& simulator) {
  Findings findings;
  const std::vector<NodeIndex> ring = sorted_active(simulator);
  const std::size_t half = static_cast<std::size_t>(simulator.config().leaf_set / 2);
  const std::size_t expected = std::min(half, ring.size() - (ring.empty() ? 0 : 1));
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const LeafSet& leaf_set = simulator.node(ring[i]).tables().leaf_set;
    const auto check = [&](std::span<const Handle> side, bool upwards) {
      bool right = side.size() == expected;
      for (std::size_t step = 1; right && step <= expected; ++step) {
        const std::size_t at = (upwards ? i + step : i + ring.size() - step) % ring.size();
        right = side[step - 1] == simulator.handle(ring[at]);
      }
      if (!right) {
        findings.add(describe_node(simulator, ring[i]) + " has a wrong " +
                     (upwards ? "right" : "left") + " side of " + std::to_string(side.size()) +
                     " members");
      }
    };
    check(leaf_set.left(), false);
    check(leaf_set.right(), true);
  }
  return findings;
}

Findings check_leaf_order(const Simulator& simulator, NodeIndex node) {
  Findings findings;
  const LeafSet& leaf_set = simulator.node(node).tables().leaf_set;
  check_side_order(simulator, node, leaf_set.left(), false, findings);
  check_side_order(simulator, node, leaf_set.right(), true, findings);
  return findings;
}

Findings check_leaf_order(const Simulator& simulator) {
  return for_running(simulator, [&](NodeIndex node, const Tables&, Findings& findings) {
    findings.add(check_leaf_order(simulator, node));
  });
}

Findings check_tables(const Simulator& simulator) {
  return for_running(simulator, [&](NodeIndex node, const Tables& tables, Findings& findings) {
    const int bits = simulator.config().digit_bits;
    const NodeId& self = simulator.id(node);
    for (int row = 0; row < tables.routing_table.rows_used(); ++row) {
      for (int column = 0; column < 1 << bits; ++column) {
        const Handle entry = tables.routing_table.at(row, column);
        if (entry == kNoHandle) continue;
        const NodeId& id = simulator.directory().id(entry);
        if (shared_prefix(self, id, bits) != row || digit(id, row, bits) != column) {
          findings.add(describe_node(simulator, node) + " has " + who(simulator, entry) +
                       " in a wrong slot of row " + std::to_string(row));
        }
      }
    }
  });
}

Findings check_told(const Simulator& simulator) {
  Findings findings;
  if (simulator.told() == nullptr) return findings;
  ToldHandles told = *simulator.told();
  for (std::uint32_t i = 0; i < simulator.size(); ++i) {
    const NodeIndex node{i};
    if (simulator.running(node)) told.check_tables(node, simulator.node(node).tables());
  }
  findings.count = told.violations();
  findings.examples = told.examples();
  return findings;
}

double routing_table_fill(const Simulator& simulator) {
  std::vector<NodeId> ids;
  ids.reserve(simulator.active_nodes().size());
  std::uint64_t filled = 0;
  for (const auto& [self, node] : simulator.active_nodes()) {
    ids.push_back(self);
    simulator.node(node).tables().routing_table.for_each([&](Handle entry, proximity::Proximity) {
      const NodeIndex peer = simulator.node_of(entry);
      if (peer != kNoNode && simulator.active(peer) && simulator.handle(peer) == entry) ++filled;
    });
  }
  const std::uint64_t possible = possible_entries(ids, simulator.config().digit_bits);
  return possible == 0 ? 1.0 : static_cast<double>(filled) / static_cast<double>(possible);
}

Findings check_quiet_ring(const Simulator& simulator) {
  Findings findings = check_ring(simulator);
  findings.add(check_leaf_sets(simulator));
  findings.add(check_leaf_order(simulator));
  findings.add(check_tables(simulator));
  findings.add(check_told(simulator));
  return findings;
}

DeliveryOracle::DeliveryOracle(Simulator& simulator) : simulator_(simulator) {
  simulator.hooks.delivery = [this](NodeIndex node, ApplicationId, const Delivery& delivery) {
    delivered(node, delivery);
  };
}

void DeliveryOracle::delivered(NodeIndex node, const Delivery& delivery) {
  ++deliveries_;
  if (delivery.kind != LookupKind::consistent) return;
  if (!is_rightful_root(simulator_, node, delivery.key)) {
    const NodeIndex root = closest_active(simulator_, delivery.key);
    ++wrong_root_;
    findings_.add("key " + delivery.key.hex() + " delivered by " + describe_node(simulator_, node) +
                  (simulator_.node(node).active() ? "" : ", which is not active,") +
                  " instead of " + (root == kNoNode ? "nobody" : describe_node(simulator_, root)));
  }
  const NodeIndex rival = other_root(simulator_, node, delivery.key);
  if (rival != kNoNode) {
    ++wrong_root_;
    findings_.add("key " + delivery.key.hex() + " delivered by " + describe_node(simulator_, node) +
                  ", but " + describe_node(simulator_, rival) + " would deliver it, too");
  }
  const auto [first, fresh] = seen_.emplace(std::pair(delivery.source, delivery.sequence), node);
  if (!fresh) {
    ++duplicates_;
    findings_.add("key " + delivery.key.hex() + " delivered twice, by " +
                  describe_node(simulator_, first->second) + " and " +
                  describe_node(simulator_, node));
  }
}

}  // namespace pastry::sim
