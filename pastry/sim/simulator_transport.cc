// The simulator's network interface and disk: what a node's outbox asks for, carried out.
#include <algorithm>
#include <functional>
#include <utility>

#include "pastry/sim/simulator.h"
#include "pastry/sim/simulator_trace.h"

namespace pastry::sim {

namespace {

// Buffers of encoded messages that are kept for reuse; more are given back to the heap.
constexpr std::size_t kSpareFrames = 1024;
// Most messages are small; a large buffer is not kept to carry one of them next.
constexpr std::size_t kSpareFrameBytes = 512;

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
  Flight flight;
  flight.from = from;
  flight.sender = handle(from);
  flight.to = send.to;
  if (!pack(send, flight)) return drop(from, send.to, DropCause::unencodable);

  switch (network_.fate(from, receiver)) {
    case Network::Fate::lost:
      return drop(from, send.to, DropCause::lost);
    case Network::Fate::cut:
      return drop(from, send.to, DropCause::cut);
    case Network::Fate::arrives_twice: {
      ++counters_.copies;
      Flight copy;
      copy.from = flight.from;
      copy.sender = flight.sender;
      copy.to = flight.to;
      copy.frame = flight.frame;
      copy.payload = flight.payload;
      if (flight.plain) copy.plain = std::make_unique<Message>(*flight.plain);
      launch(receiver, std::move(copy));
      break;
    }
    case Network::Fate::arrives:
      break;
  }
  launch(receiver, std::move(flight));
}

// Turns the message into what travels, and adds that to the trace.
bool Simulator::pack(Send& send, Flight& flight) {
  if (!codec_) {
    add_message(trace_, send.message);
    flight.plain = std::make_unique<Message>(std::move(send.message));
    return true;
  }
  if (!codec_->encode(flight.sender, flight.to, send.message, frames_)) return false;
  trace_.add(ByteView(frames_.header));
  trace_.add(frames_.payload.view());
  counters_.bytes += frames_.header.size() + frames_.payload.size();
  if (!spare_frames_.empty()) {
    flight.frame = std::move(spare_frames_.back());
    spare_frames_.pop_back();
  }
  flight.frame.assign(frames_.header.begin(), frames_.header.end());
  flight.payload = std::move(frames_.payload);
  return true;
}

void Simulator::launch(NodeIndex receiver, Flight flight) {
  const Time arrival = network_.arrival(flight.from, receiver, now_);
  if (arrival == kNever) return drop(flight.from, flight.to, DropCause::overflow);
  std::uint32_t slot = 0;
  if (free_flights_.empty()) {
    slot = static_cast<std::uint32_t>(flights_.size());
    flights_.push_back(std::move(flight));
  } else {
    std::pop_heap(free_flights_.begin(), free_flights_.end(), std::greater<>());
    slot = free_flights_.back();
    free_flights_.pop_back();
    flights_[slot] = std::move(flight);
  }
  ++messages_in_flight_;
  queue_.push(arrival, EventKind::arrival, slot);
}

void Simulator::release_flight(std::uint32_t slot) {
  Flight& flight = flights_[slot];
  const std::size_t capacity = flight.frame.capacity();
  if (capacity != 0 && capacity <= kSpareFrameBytes && spare_frames_.size() < kSpareFrames) {
    spare_frames_.push_back(std::move(flight.frame));
  }
  flight = Flight{};
  free_flights_.push_back(slot);
  std::push_heap(free_flights_.begin(), free_flights_.end(), std::greater<>());
  --messages_in_flight_;
}

void Simulator::shrink() {
  spare_frames_ = std::vector<Bytes>();
  std::vector<bool> free(flights_.size());
  for (const std::uint32_t slot : free_flights_) free[slot] = true;
  while (!flights_.empty() && free[flights_.size() - 1]) flights_.pop_back();
  flights_.shrink_to_fit();
  std::erase_if(free_flights_, [this](std::uint32_t slot) { return slot >= flights_.size(); });
  std::make_heap(free_flights_.begin(), free_flights_.end(), std::greater<>());
  free_flights_.shrink_to_fit();
  outbox_ = {};
  queue_.shrink();
}

void Simulator::drop(NodeIndex from, Handle to, DropCause cause) {
  ++counters_.drops[static_cast<std::size_t>(cause)];
  trace(kTraceDrop, from, (static_cast<std::uint64_t>(cause) << 32) | pastry::index(to));
  if (hooks.drop) hooks.drop(from, to, cause);
}

void Simulator::arrive(std::uint32_t slot) {
  const Flight& flight = flights_[slot];
  const NodeIndex receiver = node_of(flight.to);
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
  Handle from = flight.sender;
  Message message;
  if (codec_) {
    Result<wire::Decoded> decoded = codec_->decode(flight.frame, std::move(flight.payload));
    if (!decoded || decoded->from != flight.sender || decoded->destination != id(node)) {
      drop(flight.from, flight.to, DropCause::undecodable);
      release_flight(slot);
      return;
    }
    from = decoded->from;
    message = std::move(decoded->message);
  } else {
    message = std::move(*flight.plain);
  }
  release_flight(slot);
  trace(kTraceArrival, node, pastry::index(from));
  if (told_) {
    told_->tell(node, from);
    told_->tell(node, message);
  }
  ++counters_.received;
  if (hooks.arrival) hooks.arrival(node, from, message);
  begin_step(node).receive(now_, from, std::move(message), outbox_);
  end_step(node);
}

// --- Storage -------------------------------------------------------------------------------------

void Simulator::request_storage(NodeIndex node, StorageRequest request) {
  PendingStorage pending{node, handle(node), std::move(request)};
  std::uint32_t slot = 0;
  if (free_storage_.empty()) {
    slot = static_cast<std::uint32_t>(storage_.size());
    storage_.push_back(std::move(pending));
  } else {
    slot = free_storage_.back();
    free_storage_.pop_back();
    storage_[slot] = std::move(pending);
  }
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
  PendingStorage request = std::move(pending);
  pending = PendingStorage{};
  free_storage_.push_back(slot);
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
