// The look-ahead that keeps a large simulation from waiting for memory.
#include "pastry/core/message_handles.h"
#include "pastry/core/prefetch.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

// Who will be needed by the events that come next is brought into the cache meanwhile: in a large
// simulation every message meets a node that was not touched for long. Each stage looks only at
// what the one before it fetched some events ago.
void Simulator::prefetch() const {
  constexpr std::size_t kFlightAhead = 18;
  constexpr std::size_t kRecordAhead = 14;
  constexpr std::size_t kNodeAhead = 10;
  constexpr std::size_t kTablesAhead = 6;
  constexpr std::size_t kDetailsAhead = 3;
  if (const Event* event = queue_.peek(kFlightAhead)) prefetch_flight(*event);
  if (const Event* event = queue_.peek(kRecordAhead)) prefetch_record(*event);
  if (const Node* node = node_of_event(kNodeAhead)) node->prefetch();
  if (const Event* event = queue_.peek(kNodeAhead)) prefetch_names(*event);
  if (const Node* node = node_of_event(kTablesAhead)) node->prefetch_tables();
  if (const Event* event = queue_.peek(kTablesAhead)) prefetch_peers(*event);
  if (const Node* node = node_of_event(kDetailsAhead)) node->prefetch_details();
}

void Simulator::prefetch_flight(const Event& event) const {
  if (event.kind != EventKind::arrival) return;
  prefetch_lines(&flights_[event.subject], sizeof(Flight));
}

// The node's record, and the sender, whom the node looks at and answers.
void Simulator::prefetch_record(const Event& event) const {
  if (event.kind == EventKind::arrival) {
    const Flight& flight = flights_[event.subject];
    prefetch_line(&directory_.id(flight.sender));
    prefetch_line(&node_of_handle_[pastry::index(flight.sender)]);
  }
  if (const Record* target = record_of(event)) {
    prefetch_lines(target, sizeof(Record));
  }
}

// The lists of peers in the messages that have long ones.
void Simulator::prefetch_names(const Event& event) const {
  if (event.kind != EventKind::arrival || codec_) return;
  const auto prefetch = [](const auto& names) {
    prefetch_lines(names.data(), names.size() * sizeof names[0]);
  };
  const Message& message = flights_[event.subject].message;
  if (const auto* probe = std::get_if<LeafProbe>(&message)) prefetch(probe->leaf_set);
  if (const auto* reply = std::get_if<RowReply>(&message)) prefetch(reply->entries);
  if (const auto* announce = std::get_if<Announce>(&message)) prefetch(announce->row);
}

// The peers that a message names are looked up one after the other.
void Simulator::prefetch_peers(const Event& event) const {
  if (event.kind != EventKind::arrival || codec_) return;
  for_each_handle(flights_[event.subject].message,
                  [this](Handle peer) { prefetch_line(&directory_.id(peer)); });
}

const Simulator::Record* Simulator::record_of(const Event& event) const {
  if (event.kind == EventKind::deadline) return &nodes_[event.subject];
  return event.kind == EventKind::arrival ? &record(flights_[event.subject].receiver) : nullptr;
}

const Node* Simulator::node_of_event(std::size_t ahead) const {
  const Event* event = queue_.peek(ahead);
  const Record* target = event == nullptr ? nullptr : record_of(*event);
  return target != nullptr && target->node ? &*target->node : nullptr;
}

}  // namespace pastry::sim
