// The simulator's network interface and disk: what a node's outbox asks for, carried out.
#include <algorithm>
#include <utility>

#include "pastry/sim/simulator.h"
#include "pastry/sim/simulator_trace.h"

namespace pastry::sim {

namespace {

// Buffers of encoded headers that are kept for reuse; more are given back to the heap.
constexpr std::size_t kSpareHeaders = 1024;
// Most messages are small; a large buffer is not kept to carry one of them next.
constexpr std::size_t kSpareHeaderBytes = 512;

}  // namespace

void Simulator::transmit(NodeIndex from, Send& send) {
  const NodeIndex receiver = node_of(send.to);
  const bool to_itself = receiver == from && directory_.id(send.to) == id(from);
  if (receiver == kNoNode || to_itself) {
    ++counters_.undirected_sends;
    return;
  }
  ++counters_.messages;
  ++counters_.by_kind[send.message.index()];
  if (told_) told_->check_send(from, send.to, send.message);
  if (hooks.send) hooks.send(from, send.to, send.message);

  trace(kTraceMessage, from, pastry::index(send.to));
  const bool passes = !filter_ || filter_(send.message);
  const std::uint32_t slot = flights_.take();
  Flight& flight = flights_[slot];
  flight.from = from;
  flight.sender = handle(from);
  flight.receiver = receiver;
  flight.to = send.to;
  if (!pack(send, slot)) {
    release_flight(slot);
    return drop(from, send.to, DropCause::unencodable);
  }
  switch (passes ? network_.fate(from, receiver) : Network::Fate::cut) {
    case Network::Fate::lost:
      release_flight(slot);
      return drop(from, send.to, DropCause::lost);
    case Network::Fate::cut:
      release_flight(slot);
      return drop(from, send.to, DropCause::cut);
    case Network::Fate::arrives_twice:
      ++counters_.copies;
      launch(copy_flight(slot));
      break;
    case Network::Fate::arrives:
      break;
  }
  launch(slot);
}

// Turns the message into what travels, and adds that to the trace.
bool Simulator::pack(Send& send, std::uint32_t slot) {
  Flight& flight = flights_[slot];
  const bool lease = std::holds_alternative<Lease>(send.message);
  leases_in_flight_ += lease;
  if (!codec_) {
    add_message(trace_, send.message);
    flight.message = std::move(send.message);
    return true;
  }
  if (slot >= frames_in_flight_.size()) frames_in_flight_.resize(slot + std::size_t{1});
  Frame& frame = frames_in_flight_[slot];
  frame.lease = lease;
  if (!codec_->encode(flight.sender, flight.to, send.message, frames_)) return false;
  trace_.add(ByteView(frames_.header));
  trace_.add(frames_.payload.view());
  counters_.bytes += frames_.header.size() + frames_.payload.size();
  if (!spare_headers_.empty()) {
    frame.header = std::move(spare_headers_.back());
    spare_headers_.pop_back();
  }
  frame.header.assign(frames_.header.begin(), frames_.header.end());
  frame.payload = std::move(frames_.payload);
  return true;
}

// False if what arrived is not what was sent.
bool Simulator::unpack(std::uint32_t slot) {
  if (!codec_) return true;
  Flight& flight = flights_[slot];
  Frame& frame = frames_in_flight_[slot];
  Result<wire::Decoded> decoded = codec_->decode(frame.header, std::move(frame.payload));
  if (!decoded || decoded->from != flight.sender || decoded->destination != id(flight.receiver)) {
    return false;
  }
  flight.message = std::move(decoded->message);
  return true;
}

bool Simulator::is_lease(std::uint32_t slot) const {
  return codec_ ? frames_in_flight_[slot].lease
                : std::holds_alternative<Lease>(flights_[slot].message);
}

std::uint32_t Simulator::copy_flight(std::uint32_t slot) {
  const std::uint32_t copy = flights_.take();
  flights_[copy] = flights_[slot];
  if (codec_) {
    if (copy >= frames_in_flight_.size()) frames_in_flight_.resize(copy + std::size_t{1});
    frames_in_flight_[copy] = frames_in_flight_[slot];
  }
  leases_in_flight_ += is_lease(copy);
  return copy;
}

void Simulator::launch(std::uint32_t slot) {
  const Flight& flight = flights_[slot];
  const Time arrival = network_.arrival(flight.from, flight.receiver, now_);
  if (arrival == kNever) {
    drop(flight.from, flight.to, DropCause::overflow);
    return release_flight(slot);
  }
  queue_.push(arrival, EventKind::arrival, slot);
}

void Simulator::release_flight(std::uint32_t slot) {
  leases_in_flight_ -= is_lease(slot);
  flights_[slot].message.emplace<NoMessage>();
  if (codec_) {
    Frame& frame = frames_in_flight_[slot];
    const std::size_t capacity = frame.header.capacity();
    if (capacity != 0 && capacity <= kSpareHeaderBytes && spare_headers_.size() < kSpareHeaders) {
      spare_headers_.push_back(std::move(frame.header));
    }
    frame = {};
  }
  flights_.give_back(slot);
}

void Simulator::shrink() {
  spare_headers_ = std::vector<Bytes>();
  shrink_flights();
  outbox_ = {};
  queue_.shrink();
}

// What still flies moves to the front of a new pool.
void Simulator::shrink_flights() {
  Pool<Flight> kept;
  std::vector<Frame> frames;
  if (codec_) frames.reserve(flights_.in_use());
  const auto move = [&](std::uint32_t& slot) {
    const std::uint32_t place = kept.take();
    kept[place] = std::move(flights_[slot]);
    if (codec_) frames.push_back(std::move(frames_in_flight_[slot]));
    slot = place;
  };
  queue_.for_each([&](Event& event) {
    if (event.kind == EventKind::arrival) move(event.subject);
  });
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].sleep) continue;
    for (std::uint32_t& slot : nodes_[i].sleep->inbox) move(slot);
  }
  flights_ = std::move(kept);
  frames_in_flight_ = std::move(frames);
}

void Simulator::drop(NodeIndex from, Handle to, DropCause cause) {
  ++counters_.drops[static_cast<std::size_t>(cause)];
  trace(kTraceDrop, from, (static_cast<std::uint64_t>(cause) << 32) | pastry::index(to));
  if (hooks.drop) hooks.drop(from, to, cause);
}

void Simulator::arrive(std::uint32_t slot) {
  const Flight& flight = flights_[slot];
  const NodeIndex receiver = flight.receiver;
  Record& target = record(receiver);
  DropCause cause = DropCause::down;
  const bool reaches = target.handle == flight.to || (options_.address_survives_restart &&
                                                      directory_.id(flight.to) == id(receiver));
  if (reaches && target.status == NodeStatus::up) {
    receive(receiver, slot);
    return;
  }
  if (reaches && target.status == NodeStatus::paused) {
    if (!target.sleep->deaf && target.sleep->inbox.size() < options_.paused_inbox_max) {
      target.sleep->inbox.push_back(slot);
      return;
    }
    if (!target.sleep->deaf) cause = DropCause::overflow;
  }
  drop(flight.from, flight.to, cause);
  release_flight(slot);
}

void Simulator::receive(NodeIndex node, std::uint32_t slot) {
  Flight& flight = flights_[slot];
  if (!unpack(slot)) {
    drop(flight.from, flight.to, DropCause::undecodable);
    return release_flight(slot);
  }
  trace(kTraceArrival, node, pastry::index(flight.sender));
  if (told_) {
    told_->tell(node, flight.sender);
    told_->tell(node, flight.message);
  }
  ++counters_.received;
  if (hooks.arrival) hooks.arrival(node, flight.sender, flight.message);
  begin_step(node).receive(now_, flight.sender, std::move(flight.message), outbox_);
  release_flight(slot);
  end_step(node);
}

// --- Storage -------------------------------------------------------------------------------------

void Simulator::request_storage(NodeIndex node, StorageRequest request) {
  const std::uint32_t slot = storage_.take();
  storage_[slot] = {node, handle(node), std::move(request)};
  queue_.push(now_ + options_.store_delay, EventKind::storage, slot);
}

// A request takes effect when it completes: what a crash interrupts was not synced yet.
void Simulator::complete_storage(std::uint32_t slot) {
  PendingStorage& pending = storage_[slot];
  const NodeIndex node = pending.node;
  Record& target = record(node);
  const bool same_life = target.node && target.handle == pending.incarnation;
  if (same_life && target.status == NodeStatus::paused) {
    target.sleep->storage.push_back(slot);
    return;
  }
  const PendingStorage request = std::exchange(pending, {});
  storage_.give_back(slot);
  if (!same_life) return;
  StorageCompletion completion = carry_out(request);
  trace(kTraceStorage, node, completion.result ? completion.result->index() : 0xff);
  begin_step(node).storage_completed(now_, std::move(completion), outbox_);
  end_step(node);
}

StorageCompletion Simulator::carry_out(const PendingStorage& pending) {
  const StorageRequest& request = pending.request;
  const auto* compute = std::get_if<ComputeDigest>(&request.operation);
  if (compute != nullptr && options_.hash != nullptr) {
    return {request.node, request.application, request.tag,
            StoreOutcome{ComputeDigestDone{options_.hash->digest(compute->bytes.view())}}};
  }
  Record& target = record(pending.node);
  if (!target.store && options_.stores) target.store = options_.stores(pending.node);
  std::vector<StorageCompletion> completions;
  if (target.store) target.store->apply(std::span(&request, 1), completions);
  if (completions.size() == 1) return std::move(completions.front());
  return {request.node, request.application, request.tag,
          fail(ErrorCode::failed, "the simulated node has no store")};
}

}  // namespace pastry::sim
