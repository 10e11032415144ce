#include "pastry/sim/message_visit.h"

#include <array>

#include "pastry/core/message_handles.h"

namespace pastry::sim {

namespace {

constexpr std::array<std::string_view, kMessageKinds> kNames = {
    "Routed",
    "HopAck",
    "Outcome",
    "JoinRequest",
    "JoinTransfer",
    "GapReserve",
    "GapReserveReply",
    "JoinGrant",
    "JoinReport",
    "GapRelease",
    "JoinRefused",
    "LeafProbe",
    "Lease",
    "Ping",
    "Pong",
    "RowRequest",
    "RowReply",
    "NeighbourhoodRequest",
    "NeighbourhoodReply",
    "Announce",
    "Leave",
    "Direct",
    "Seek",
    "Relay",
};

// Adds the scalar fields; the handles are added by for_each_handle.
struct Scalars {
  TraceHash& hash;

  void operator()(const Routed& m) const {
    const RouteHeader& header = m.header;
    hash.add(header.key);
    hash.add(header.sequence);
    hash.add((std::uint64_t{header.hop_sequence} << 32) |
             static_cast<std::uint32_t>(header.application));
    hash.add((std::uint64_t{header.hops} << 32) | (std::uint64_t{header.reroutes} << 24) |
             (std::uint64_t{header.replicas} << 16) | (header.wants_outcome ? 256U : 0U) |
             (header.witnessed ? 512U : 0U) | static_cast<std::uint8_t>(header.kind));
    hash.add(m.payload.view());
  }
  void operator()(const HopAck& m) const {
    for (const auto& [first, count] : m.ranges) hash.add((std::uint64_t{first} << 32) | count);
    if (m.held) hash.add(1);
  }
  void operator()(const Outcome& m) const {
    hash.add(m.sequence);
    hash.add((std::uint64_t{m.hops} << 8) | static_cast<std::uint8_t>(m.result));
  }
  void operator()(const JoinRequest& m) const {
    hash.add((std::uint64_t{m.attempt} << 16) | m.hops);
    rows(m.rows);
  }
  void operator()(const JoinTransfer& m) const { (*this)(m.request); }
  void operator()(const GapReserve& m) const { hash.add(m.batch); }
  void operator()(const GapReserveReply& m) const { flagged(m.batch, m.granted); }
  void operator()(const JoinGrant& m) const {
    hash.add((std::uint64_t{m.attempt} << 32) | m.batch);
    hash.add(m.batch_joiners.size());
    rows(m.rows);
  }
  void operator()(const JoinReport& m) const { flagged(m.batch, m.active); }
  void operator()(const GapRelease& m) const { hash.add(m.batch); }
  void operator()(const JoinRefused& m) const {
    hash.add(m.attempt);
    hash.add(static_cast<std::uint64_t>(m.retry_after.count()));
  }
  void operator()(const LeafProbe& m) const {
    flagged(m.token, m.reply);
    flagged(static_cast<std::uint32_t>(m.leaf_set.size()), m.active);
    hash.add(static_cast<std::uint64_t>(m.probe_period.count()));
    hash.add(static_cast<std::uint64_t>(m.round_trip.count()));
  }
  void operator()(const Lease& m) const {
    hash.add((std::uint64_t{m.request} << 32) | m.grant);
    hash.add((m.left ? 8U : 0U) | (m.right ? 4U : 0U) | (m.active ? 2U : 0U) |
             (m.vouches ? 1U : 0U));
    hash.add(static_cast<std::uint64_t>(m.others.count()));
    for (const auto& [peer, remaining] : m.guarded) {
      hash.add(static_cast<std::uint64_t>(remaining.count()));
    }
  }
  void operator()(const Ping& m) const { hash.add(m.token); }
  void operator()(const Pong& m) const {
    flagged(m.token, m.active);
    distance(m.wanted);
  }
  void operator()(const RowRequest& m) const { hash.add(std::uint64_t{m.first} << 32 | m.last); }
  void operator()(const RowReply& m) const { located(m.entries); }
  void operator()(const NeighbourhoodRequest&) const {}
  void operator()(const NeighbourhoodReply& m) const { located(m.members); }
  void operator()(const Announce& m) const {
    hash.add(static_cast<std::uint64_t>(m.round_trip.count()));
    located(m.row);
  }
  void operator()(const Leave& m) const { hash.add(m.gives_up ? 1U : 0U); }
  void operator()(const Seek& m) const { hash.add(m.hops); }
  void operator()(const Relay& m) const {
    if (!m.enclosed) return;
    hash.add(m.enclosed->message.index());
    std::visit(*this, m.enclosed->message);
  }
  void operator()(const Direct& m) const {
    hash.add((std::uint64_t{m.request} << 32) | static_cast<std::uint32_t>(m.application));
    hash.add((m.reply ? 2U : 0U) | (m.refused ? 1U : 0U));
    hash.add(m.payload.view());
  }

  void flagged(std::uint32_t number, bool flag) const {
    hash.add((std::uint64_t{number} << 1) | (flag ? 1U : 0U));
  }
  void distance(Proximity distance) const {
    hash.add(distance.known() ? static_cast<std::uint64_t>(distance.round_trip().count()) : ~0ULL);
  }
  void located(const std::vector<Located>& entries) const {
    for (const Located& entry : entries) distance(entry.distance);
  }
  void rows(const std::vector<Row>& rows) const {
    for (const Row& row : rows) hash.add((std::uint64_t{row.index} << 32) | row.entries.size());
  }
};

}  // namespace

std::string_view message_kind(std::size_t variant_index) {
  return variant_index < kNames.size() ? kNames[variant_index] : std::string_view("?");
}

void add_message(TraceHash& hash, const Message& message) {
  hash.add(message.index());
  std::visit(Scalars{hash}, message);
  for_each_handle(message, [&hash](Handle handle) { hash.add(index(handle)); });
}

}  // namespace pastry::sim
