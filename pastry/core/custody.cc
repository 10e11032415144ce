// The forwarder's part for messages that wait for a root: the hop before keeps a copy until they
// are done, so that a crash of the node that holds them loses nothing.
#include <algorithm>

#include "pastry/core/forwarder.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"

namespace pastry {

// --- At the node that holds the message ---------------------------------------------------------

// Until then the hop before keeps a copy, in case that this node dies with what it holds.
void Forwarder::take_over(LocalRoute& work) {
  if (work.custody == Custody::here) return;
  owe_ack(work.previous, work.message.header.hop_sequence, false);
  work.custody = Custody::here;
}

// A hop before asks again for what is held here.
bool Forwarder::held_already(const LocalRoute& work) {
  if (work.custody != Custody::due) return false;
  const RouteHeader& header = work.message.header;
  for (LocalRoute& kept : traffic().kept) {
    RouteHeader& known = kept.message.header;
    if (known.sequence != header.sequence || known.source != header.source) continue;
    known.hop_sequence = header.hop_sequence;
    kept.previous = work.previous;
    kept.custody = Custody::held;
    owe_ack(work.previous, header.hop_sequence, true);
    return true;
  }
  return false;
}

void Forwarder::hand_back(NodeState& node) {
  if (!traffic_) return;
  const std::size_t given = std::erase_if(
      traffic_->kept, [](const LocalRoute& work) { return work.custody == Custody::held; });
  if (given > 0) note(*node.config, Mark::custody_handed_back);
}

// Copies never stand in the way of messages, and end without a word to the source.
bool Forwarder::has_room(const NodeState& node) const {
  return !traffic_ || traffic_->waiting < node.config->unacknowledged_max;
}

// The hop before dropped its copy when this node took the message on, before the root was found
// silent. The neighbour on the other side gets one: it sends the message back, is told that it is
// held here, and keeps the copy.
void Forwarder::call_witness(NodeState& node, Step& step, Handle silent, const Routed& message) {
  if (!node.active() || message.header.kind != LookupKind::consistent) return;
  const LeafSet& leaves = node.tables.leaf_set;
  const Handle left = leaves.left_neighbour();
  const Handle right = leaves.right_neighbour();
  const Handle witness = silent == left ? right : left;
  if (witness == kNoHandle || witness == silent || node.liveness.suspected(witness)) return;
  if (!closer(message.header.key, node.self_id(), node.id(witness)) || !has_room(node)) return;
  note(*node.config, Mark::witness_called);
  Routed copy(message);
  copy.header.witnessed = true;
  send_hop(node, step, witness, std::move(copy), 1);
}

void Forwarder::witness(NodeState& node, Step& step, Handle from, Routed&& message) {
  owe_ack(from, message.header.hop_sequence, false);
  message.header.witnessed = false;
  if (!has_room(node)) return;
  count_reroute(message.header);
  send_hop(node, step, from, std::move(message), 1);
}

// --- At the hop before --------------------------------------------------------------------------

void Forwarder::hold(NodeState& node, Step& step, Handle peer, Unacknowledged& entry) {
  Traffic& t = *traffic_;
  if (entry.held_until == kNever) {
    entry.held_until = step.now + node.config->lease * 2 + node.config->gap_expiry;
  }
  // Without a copy the message is as safe as if nobody kept one.
  if (t.held.size() >= node.config->inactive_buffer_max || entry.held_until <= step.now) return;
  note(*node.config, Mark::copy_held);
  const Time ask_at = std::min(step.now + node.config->lease / 2, entry.held_until);
  t.held.push_back({peer, ask_at, entry.hop_sequence, entry.held_until, std::move(entry.message)});
  t.ask_held_at = std::min(t.ask_held_at, ask_at);
}

void Forwarder::drop_held(NodeState& node, Handle from, const HopAck& ack) {
  std::erase_if(traffic_->held, [&](const Held& copy) {
    if (copy.peer != from && node.id(copy.peer) != node.id(from)) return false;
    return std::any_of(ack.ranges.begin(), ack.ranges.end(), [&](const auto& range) {
      return copy.hop_sequence - range.first < range.second;
    });
  });
}

// The holder's last word may have been lost.
void Forwarder::ask_held(NodeState& node, Step& step) {
  Traffic& t = *traffic_;
  std::vector<Held> copies = std::exchange(t.held, {});
  t.ask_held_at = kNever;
  for (Held& copy : copies) {
    if (copy.until <= step.now) continue;  // who held it has given it up, too
    if (copy.ask_at > step.now) {
      t.ask_held_at = std::min(t.ask_held_at, copy.ask_at);
      t.held.push_back(std::move(copy));
    } else {
      send_again(node, step, std::move(copy));
    }
  }
}

void Forwarder::send_again(NodeState& node, Step& step, Held&& copy) {
  if (!has_room(node)) return;
  count_reroute(copy.message.header);
  send_hop(node, step, copy.peer, std::move(copy.message), 1, copy.until);
}

std::vector<Forwarder::Unacknowledged> Forwarder::take_held(Handle peer) {
  std::vector<Unacknowledged> taken;
  std::erase_if(traffic_->held, [&](Held& copy) {
    if (copy.peer != peer) return false;
    taken.push_back({copy.hop_sequence, 1, false, {}, {}, copy.until, std::move(copy.message)});
    return true;
  });
  return taken;
}

}  // namespace pastry
