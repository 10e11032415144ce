// Links over a third node: finding one, passing on for others, trying the straight way again.
#include <algorithm>

#include "pastry/core/liveness.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"

namespace pastry {

namespace {

// Over how many others a silent leaf is asked at a time; over one if somebody else did so before.
constexpr std::size_t kRelaysAsked = 2;

// What only its sender itself may say: on a relay's word it would be a way to have others removed.
bool relayable(const Message& message) {
  return !std::holds_alternative<Relay>(message) && !std::holds_alternative<Leave>(message);
}

// Whether a relay's word is taken for a message of `source`: from a leaf, or one that may become a
// leaf and exchanges leaf sets.
bool expected_over_others(const NodeState& node, Handle source, const Message& message) {
  if (node.tables.leaf_set.contains(source) || node.liveness.probing(source)) return true;
  return std::holds_alternative<LeafProbe>(message) &&
         node.tables.leaf_set.would_admit(node.id(source));
}

}  // namespace

// Common leaves: members near to both, so that both are in their leaf sets.
std::vector<Handle> Liveness::choose_relays(const NodeState& node, Handle target,
                                            unsigned attempt) const {
  const auto farther = [&](Handle peer) {
    return std::max(ring_distance(node.self_id(), node.id(peer)),
                    ring_distance(node.id(target), node.id(peer)));
  };
  std::vector<Handle> relays = node.tables.leaf_set.members();
  std::erase_if(relays, [&](Handle peer) {
    return peer == target || suspected(peer) || inactive(peer) || via(peer) != kNoHandle ||
           node.id(peer) == node.id(target);
  });
  std::sort(relays.begin(), relays.end(), [&](Handle a, Handle b) {
    const Id da = farther(a);
    const Id db = farther(b);
    return da != db ? da < db : index(a) < index(b);
  });
  // Each further attempt goes over others, if there are.
  if (relays.size() > kRelaysAsked) {
    const std::size_t groups = relays.size() / kRelaysAsked;
    const std::size_t skipped = attempt % std::min<std::size_t>(groups, 4) * kRelaysAsked;
    relays.erase(relays.begin(), relays.begin() + static_cast<std::ptrdiff_t>(skipped));
    relays.resize(kRelaysAsked);
  }
  return relays;
}

void Liveness::send_over_others(NodeState& node, Step& step, Probe& probe) {
  std::vector<Handle> relays = choose_relays(node, probe.peer, probe.relays_tried++);
  if (relays.empty()) return;
  note(*node.config, Mark::asked_over_others);
  probe.relay_token = next_token();
  const auto enclosed = std::make_shared<const Enclosed>(
      Enclosed{leaf_probe(node, step.now, false, probe.relay_token)});
  for (const Handle relay : relays) {
    node.send_straight(step, relay, Relay{node.self, probe.peer, enclosed});
  }
}

bool Liveness::receive(NodeState& node, Step& step, Handle from, const Relay& relay) {
  const LeafSet& leaves = node.tables.leaf_set;
  const bool sound = relay.enclosed && relayable(relay.enclosed->message) && node.placed() &&
                     relay.source != kNoHandle && relay.target != kNoHandle &&
                     relay.source != relay.target;
  if (sound && relay.target == node.self && relay.source != from && leaves.contains(from) &&
      node.id(relay.source) != node.self_id() &&
      expected_over_others(node, relay.source, relay.enclosed->message)) {
    note(*node.config, Mark::route_over_other_learnt);
    learn_route(node, step, relay.source, from);
    return true;
  }
  // One hop: only what comes from the source itself, and only where this node has a link.
  if (sound && relay.source == from && leaves.contains(from) && leaves.contains(relay.target) &&
      via(relay.target) == kNoHandle) {
    note(*node.config, Mark::relayed_for_others);
    node.send_straight(step, relay.target, Relay(relay));
    return false;
  }
  note(*node.config, Mark::relay_refused);
  ++node.counters.refused;
  return false;
}

void Liveness::learn_route(NodeState& node, Step& step, Handle peer, Handle via) {
  doubts_.changing_relays().learn(peer, via, step.now);
  doubts_.release();
  check_links(node, step);
}

void Liveness::check_links(NodeState& node, Step& step) {
  if (doubts_.relays().empty()) return;
  Relays& relays = doubts_.changing_relays();
  while (Relays::Route* route = relays.due(step.now)) {
    const Handle peer = route->peer;
    const bool wanted = node.tables.leaf_set.contains(peer) || route->token == 0;
    if (route->straight || !wanted) {
      relays.erase(peer);  // it works, or is no concern any more
      continue;
    }
    note(*node.config, Mark::straight_link_tried);
    if (route->token == 0) {
      // A single answer over others may only mean that one message was lost.
      route->check_at = step.now + node.config->probe_timeout;
    } else {
      route->check_at = step.now + node.random.jittered(node.config->relay_retry_period, 20);
      // Not reached straight, so of no use for routing and not near.
      node.tables.routing_table.remove(peer);
      node.tables.neighbourhood.remove(peer);
    }
    route->token = next_token();
    route->sent_at = step.now;
    node.send_straight(step, peer, Ping{route->token});
  }
  doubts_.release();
}

void Liveness::relay_lost(NodeState& node, Step& step, Handle peer) {
  if (doubts_.relays().empty()) return;
  doubts_.changing_relays().erase(peer);
  const std::vector<Handle> cut_off = doubts_.changing_relays().lose(peer);
  doubts_.release();
  for (const Handle other : cut_off) {
    if (!node.tables.leaf_set.contains(other)) continue;
    note(*node.config, Mark::relay_lost);
    start_probe(node, step, {.peer = other, .leaf = true, .relayed = true});
  }
}

void Liveness::relays_pushed_out(NodeState& node, Step& step) {
  if (doubts_.relays().empty()) return;
  for (const Handle via : doubts_.relays().in_use()) {
    if (!node.tables.leaf_set.contains(via)) relay_lost(node, step, via);
  }
}

}  // namespace pastry
