// Looking into messages from outside: the peers a message names, its kind, a hash of its content.
#pragma once

#include <cstddef>
#include <string_view>
#include <variant>

#include "pastry/core/message.h"
#include "pastry/sim/trace_hash.h"

namespace pastry::sim {

inline constexpr std::size_t kMessageKinds = std::variant_size_v<Message>;

// The name of the kind of message at this index of the variant, as in message.h.
std::string_view message_kind(std::size_t variant_index);
inline std::string_view message_kind(const Message& message) {
  return message_kind(message.index());
}

// Adds the whole content, with handles in place of what they stand for: what the trace hash covers
// when messages are not encoded.
void add_message(TraceHash& hash, const Message& message);

namespace detail {

template <typename Visit>
void visit_all(const std::vector<Handle>& handles, Visit& visit) {
  for (const Handle handle : handles) visit(handle);
}

template <typename Visit>
void visit_rows(const std::vector<Row>& rows, Visit& visit) {
  for (const Row& row : rows) visit_all(row.entries, visit);
}

template <typename Visit>
struct HandleVisitor {
  Visit& visit;

  void operator()(const Routed& m) const {
    visit(m.header.source);
    visit_all(m.header.avoid, visit);
  }
  void operator()(const JoinRequest& m) const {
    visit(m.joiner);
    visit_rows(m.rows, visit);
  }
  void operator()(const JoinTransfer& m) const { (*this)(m.request); }
  void operator()(const GapReserve& m) const { visit_all(m.joiners, visit); }
  void operator()(const GapReserveReply& m) const { visit(m.predecessor); }
  void operator()(const JoinGrant& m) const {
    visit_all(m.batch_joiners, visit);
    visit(m.successor);
    visit_all(m.leaf_set, visit);
    visit_rows(m.rows, visit);
  }
  void operator()(const LeafProbe& m) const {
    visit_all(m.leaf_set, visit);
    visit_all(m.failed, visit);
  }
  void operator()(const RowReply& m) const { visit_all(m.row.entries, visit); }
  void operator()(const NeighbourhoodReply& m) const { visit_all(m.members, visit); }
  void operator()(const Announce& m) const { visit_all(m.row.entries, visit); }
  void operator()(const Leave& m) const { visit_all(m.leaf_set, visit); }
  void operator()(const HopAck&) const {}
  void operator()(const Outcome&) const {}
  void operator()(const JoinReport&) const {}
  void operator()(const GapRelease&) const {}
  void operator()(const JoinRefused&) const {}
  void operator()(const Heartbeat&) const {}
  void operator()(const Ping&) const {}
  void operator()(const Pong&) const {}
  void operator()(const RowRequest&) const {}
  void operator()(const NeighbourhoodRequest&) const {}
  void operator()(const Direct& m) const { visit_all(m.peers, visit); }
};

}  // namespace detail

// Calls visit(Handle) for every peer that `message` names, kNoHandle left out.
template <typename Visit>
void for_each_handle(const Message& message, Visit&& visit) {
  auto filtered = [&visit](Handle handle) {
    if (handle != kNoHandle) visit(handle);
  };
  std::visit(detail::HandleVisitor<decltype(filtered)>{filtered}, message);
}

}  // namespace pastry::sim
