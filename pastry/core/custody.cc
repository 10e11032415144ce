// The forwarder's part for messages that wait for a root: the hop before keeps a copy until they
// are done, so that a crash of the node that holds them loses nothing.
#include <algorithm>

#include "pastry/core/forwarder.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// Copies whose holders are asked in one step, and how soon after it the next ones.
constexpr std::size_t kAskedAtOnce = 16;
constexpr Duration kAskPause = milliseconds(10);

}  // namespace

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
// silent. A neighbour gets one, that which would be the root after this node: it sends the message
// back, is told that it is held here, and keeps the copy.
void Forwarder::call_witness(NodeState& node, Step& step, Handle silent, const Routed& message) {
  if (!node.active() || message.header.kind != LookupKind::consistent) return;
  const Key& key = message.header.key;
  const LeafSet& leaves = node.tables.leaf_set;
  Handle witness = kNoHandle;
  for (const Handle peer : {leaves.left_neighbour(), leaves.right_neighbour()}) {
    if (peer == kNoHandle || peer == silent || node.liveness.suspected(peer)) continue;
    if (!closer(key, node.self_id(), node.id(peer))) continue;
    if (witness == kNoHandle || closer(key, node.id(peer), node.id(witness))) witness = peer;
  }
  if (witness == kNoHandle || !has_room(node)) return;
  note(*node.config, Mark::witness_called);
  Routed copy(message);
  copy.header.witnessed = true;
  send_hop(node, step, witness, std::move(copy), 1);
}

void Forwarder::witness(NodeState& node, Step& step, Handle from, Routed&& message) {
  owe_ack(from, message.header.hop_sequence, false);
  message.header.witnessed = false;
  // A favour among neighbours: each takes a place here.
  if (!node.tables.leaf_set.contains(from) || !has_room(node)) {
    ++node.counters.refused;
    return;
  }
  count_reroute(message.header);
  send_hop(node, step, from, std::move(message), 1);
}

// --- At the hop before --------------------------------------------------------------------------

void Forwarder::hold(NodeState& node, Step& step, Handle peer, Unacknowledged& entry) {
  Traffic& t = *traffic_;
  if (entry.held_until == kNever) entry.held_until = step.now + node.config->keep_max();
  const RouteHeader& header = entry.message.header;
  std::size_t of_peer = 0;
  std::erase_if(t.held, [&](const Held& copy) {
    if (copy.peer != peer) return false;
    const RouteHeader& known = copy.message.header;
    const bool same = known.sequence == header.sequence && known.source == header.source;
    if (!same) ++of_peer;
    return same;  // the holder knows the message by its last number
  });
  // Without a copy the message is as safe as if nobody kept one. No peer takes all places.
  const std::size_t places =
      PASTRY_BUG(copies_unbounded) ? SIZE_MAX : node.config->inactive_buffer_max;
  if (t.held.size() >= places || of_peer >= std::max<std::size_t>(places / 4, 1) ||
      entry.held_until <= step.now)
    return;
  note(*node.config, Mark::copy_held);
  const Duration pause = node.random.jittered(node.config->lease / 2, node.config->jitter_percent);
  const Time ask_at = std::min(step.now + pause, entry.held_until);
  t.held.push_back({peer, ask_at, entry.hop_sequence, entry.held_until, std::move(entry.message)});
  t.ask_held_at = std::min(t.ask_held_at, ask_at);
}

void Forwarder::drop_held(NodeState& node, Handle from, const HopAck& ack) {
  if (PASTRY_BUG(copies_never_dropped)) return;
  std::erase_if(traffic_->held, [&](const Held& copy) {
    if (copy.peer != from && node.id(copy.peer) != node.id(from)) return false;
    return std::any_of(ack.ranges.begin(), ack.ranges.end(), [&](const auto& range) {
      return copy.hop_sequence - range.first < range.second;
    });
  });
}

// The holder's last word may have been lost. An ask carries the message: a few at a time.
void Forwarder::ask_held(NodeState& node, Step& step) {
  Traffic& t = *traffic_;
  std::vector<Held> copies = std::exchange(t.held, {});
  t.ask_held_at = kNever;
  std::size_t asked = 0;
  for (Held& copy : copies) {
    if (copy.until <= step.now) continue;  // who held it has given it up, too
    if (copy.ask_at <= step.now && asked++ < kAskedAtOnce) {
      send_again(node, step, std::move(copy));
      continue;
    }
    copy.ask_at = std::max(copy.ask_at, step.now + kAskPause);
    t.ask_held_at = std::min(t.ask_held_at, copy.ask_at);
    t.held.push_back(std::move(copy));
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
