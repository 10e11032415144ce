// What happens to nodes: crashes, pauses, newcomers in their place; memory over all that.
#include <algorithm>
#include <cassert>
#include <utility>

#include "pastry/core/message_handles.h"
#include "pastry/sim/simulator.h"
#include "pastry/sim/simulator_trace.h"

namespace pastry::sim {

// Whom it finds on its disk when it comes back. A host writes nothing before it is a member, and
// nothing while it knows nobody, so who dies before it is active again remembers what it
// remembered.
std::vector<Handle> Simulator::remembered_by(NodeIndex node) {
  if (!was_member(node)) return {};
  std::vector<Handle> peers = record(node).node->peers_to_remember(options_.remembered_peers);
  auto earlier = restarted_with_.extract(node);
  return peers.empty() && earlier ? std::move(earlier.mapped()) : peers;
}

std::vector<Handle> Simulator::peers_known_to(NodeIndex node) const {
  const Node& known_by = this->node(node);
  std::vector<Handle> known = known_by.peers_to_remember(SIZE_MAX);
  known_by.tables().routing_table.for_each([&](Handle peer, Proximity) { known.push_back(peer); });
  if (const auto back = restarted_with_.find(node); back != restarted_with_.end()) {
    known.insert(known.end(), back->second.begin(), back->second.end());
  }
  return known;
}

void Simulator::restart(NodeIndex node, std::span<const NodeIndex> seeds) {
  Record& target = record(node);
  assert(target.status == NodeStatus::down);
  PeerInfo info = directory_.info(target.handle);
  ++info.incarnation;
  assign_handle(target, node, info);

  // Whom the caller names is asked first, like the seed that an operator gives.
  std::vector<Handle> handles;
  for (const NodeIndex seed : seeds) handles.push_back(handle(seed));
  std::vector<Handle> remembered;
  if (target.sleep) remembered = std::move(target.sleep->remembered);
  target.sleep.reset();
  for (const Handle peer : remembered) {
    if (std::find(handles.begin(), handles.end(), peer) == handles.end()) handles.push_back(peer);
  }
  if (!remembered.empty()) restarted_with_[node] = std::move(remembered);

  start(node);
  if (told_) {
    for (const Handle peer : handles) told_->tell(node, peer);
  }
  if (handles.empty()) {
    begin_step(node).found(now_, outbox_);
  } else {
    begin_step(node).join(now_, handles, target.was_member, outbox_);
  }
  end_step(node);
}

void Simulator::crash(NodeIndex node) {
  Record& target = record(node);
  if (!target.node) return;
  trace(kTraceCrash, node, 0);
  std::vector<Handle> remembered = remembered_by(node);
  stop(node);
  target.sleep = std::make_unique<Sleep>();
  target.sleep->remembered = std::move(remembered);
}

void Simulator::leave(NodeIndex node) {
  Record& target = record(node);
  if (target.status != NodeStatus::up) return;
  trace(kTraceLeave, node, 0);
  std::vector<Handle> remembered = remembered_by(node);
  begin_step(node).leave(now_, outbox_);
  end_step(node);
  stop(node);
  target.sleep = std::make_unique<Sleep>();
  target.sleep->remembered = std::move(remembered);
}

void Simulator::pause(NodeIndex node) {
  Record& target = record(node);
  if (target.status != NodeStatus::up) return;
  trace(kTracePause, node, 0);
  target.status = NodeStatus::paused;
  target.sleep = std::make_unique<Sleep>();
}

void Simulator::suspend(NodeIndex node) {
  pause(node);
  Record& target = record(node);
  if (target.status == NodeStatus::paused) target.sleep->deaf = true;
}

void Simulator::shift_wall_clock(NodeIndex node, std::int64_t seconds) {
  wall_shifts_[node] += seconds;
}

void Simulator::resume(NodeIndex node) {
  Record& target = record(node);
  if (target.status != NodeStatus::paused) return;
  trace(kTraceResume, node, 0);
  const std::unique_ptr<Sleep> sleep = std::move(target.sleep);
  target.status = NodeStatus::up;
  for (const std::uint32_t slot : sleep->inbox) receive(node, slot);
  for (const std::uint32_t slot : sleep->storage) complete_storage(slot);
  target.armed = kNever;
  arm(node);
}

void Simulator::replace(NodeIndex node) { replace(node, random_.id()); }

void Simulator::replace(NodeIndex node, const NodeId& id) {
  Record& target = record(node);
  assert(target.status == NodeStatus::down);
  HostInfo host = make_host(node, index(node) ^ id.low(), directory_.host(target.handle).domain);
  target.sleep.reset();
  target.store.reset();
  target.status = NodeStatus::added;
  assign_handle(target, node, {id, 1, std::move(host), {}});
}

// --- Memory over restarts ------------------------------------------------------------------------

// What anybody still holds or may yet be told stays: nodes, those that are down, messages on their
// way.
void Simulator::collect_handles() {
  if (stepping_ || told_) return;
  directory_.begin_collection();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Record& record = nodes_[i];
    directory_.mark(record.handle);
    if (record.node) record.node->mark_handles();
    if (!record.sleep) continue;
    for (const Handle peer : record.sleep->remembered) directory_.mark(peer);
  }
  for (const auto& [node, peers] : restarted_with_) {
    for (const Handle peer : peers) directory_.mark(peer);
  }
  flights_.for_each_slot([this](std::uint32_t slot) { mark_flight(slot); });
  storage_.for_each(
      [this](const PendingStorage& pending) { directory_.mark(pending.incarnation); });
  directory_.end_collection();
  for (std::uint32_t slot = 0; slot < node_of_handle_.size(); ++slot) {
    if (!directory_.valid(Handle{slot})) node_of_handle_[slot] = index(kNoNode);
  }
}

void Simulator::mark_flight(std::uint32_t slot) {
  const Flight& flight = flights_[slot];
  directory_.mark(flight.sender);
  directory_.mark(flight.to);
  if (codec_) {
    // Decoding marks the peers that the frame describes.
    const Frame& frame = frames_in_flight_[slot];
    static_cast<void>(codec_->decode(frame.header, frame.payload));
  } else {
    for_each_handle(flight.message, [this](Handle peer) { directory_.mark(peer); });
  }
}

}  // namespace pastry::sim
