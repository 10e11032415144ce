// Every peer that a message names: for the directory's collection, and for checkers.
#pragma once

#include <variant>
#include <vector>

#include "pastry/core/message.h"

namespace pastry {

namespace detail {

template <typename Visit>
void visit_handles(const std::vector<Handle>& handles, Visit& visit) {
  for (const Handle handle : handles) visit(handle);
}

template <typename Visit>
void visit_handles(const std::vector<Row>& rows, Visit& visit) {
  for (const Row& row : rows) visit_handles(row.entries, visit);
}

template <typename Visit>
void visit_handles(const std::vector<Located>& located, Visit& visit) {
  for (const Located& entry : located) visit(entry.peer);
}

template <typename Visit>
struct HandleVisitor {
  Visit& visit;

  void operator()(const Routed& m) const {
    visit(m.header.source);
    visit_handles(m.header.avoid, visit);
  }
  void operator()(const JoinRequest& m) const {
    visit(m.joiner);
    visit_handles(m.rows, visit);
  }
  void operator()(const JoinTransfer& m) const { (*this)(m.request); }
  void operator()(const GapReserve& m) const { visit_handles(m.joiners, visit); }
  void operator()(const GapReserveReply& m) const { visit(m.predecessor); }
  void operator()(const JoinGrant& m) const {
    visit_handles(m.batch_joiners, visit);
    visit(m.successor);
    visit_handles(m.leaf_set, visit);
    visit_handles(m.rows, visit);
  }
  void operator()(const LeafProbe& m) const {
    visit_handles(m.leaf_set, visit);
    visit_handles(m.failed, visit);
  }
  void operator()(const Lease& m) const {
    for (const auto& [peer, remaining] : m.guarded) visit(peer);
  }
  void operator()(const RowReply& m) const { visit_handles(m.entries, visit); }
  void operator()(const NeighbourhoodReply& m) const { visit_handles(m.members, visit); }
  void operator()(const Announce& m) const { visit_handles(m.row, visit); }
  void operator()(const Leave& m) const { visit_handles(m.leaf_set, visit); }
  void operator()(const Seek& m) const { visit(m.seeker); }
  void operator()(const Relay& m) const {
    visit(m.source);
    visit(m.target);
    if (m.enclosed) std::visit(*this, m.enclosed->message);
  }
  void operator()(const Direct& m) const { visit_handles(m.peers, visit); }
  void operator()(const HopAck&) const {}
  void operator()(const Outcome&) const {}
  void operator()(const JoinReport&) const {}
  void operator()(const GapRelease&) const {}
  void operator()(const JoinRefused&) const {}
  void operator()(const Ping&) const {}
  void operator()(const Pong&) const {}
  void operator()(const RowRequest&) const {}
  void operator()(const NeighbourhoodRequest&) const {}
};

}  // namespace detail

// Calls visit(Handle) for every peer that `message` names, kNoHandle left out.
template <typename Visit>
void for_each_handle(const Message& message, Visit&& visit) {
  auto named = [&visit](Handle handle) {
    if (handle != kNoHandle) visit(handle);
  };
  std::visit(detail::HandleVisitor<decltype(named)>{named}, message);
}

}  // namespace pastry
