// Values -> schema.
#include <algorithm>
#include <array>
#include <span>

#include "pastry/wire/body.h"

namespace pastry::wire {

namespace {

std::uint32_t distance_us(Proximity distance) {
  if (!distance.known()) return kDistanceUnknownUs;
  return static_cast<std::uint32_t>(distance.round_trip() / std::chrono::microseconds(1));
}

std::uint32_t lease_rest_ms(Duration rest) {
  const Duration bounded = std::clamp(rest, Duration::zero(), kLeaseRestMax);
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count());
}

std::int64_t round_trip_ns(Duration time) {
  return std::clamp(time, Duration{-1}, kRoundTripMax).count();
}

}  // namespace
namespace {

std::uint32_t milliseconds(Duration value, Duration max) {
  const Duration bounded = std::clamp(value, Duration::zero(), max);
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(bounded).count());
}

}  // namespace

bool BodyWriter::fits(std::size_t size, std::size_t max, const char* field) {
  if (size <= max) return true;
  error.set(ErrorCode::too_large,
            std::string(field) + ": " + std::to_string(size) + " is over " + std::to_string(max));
  return false;
}

std::uint32_t BodyWriter::payload_size(const Payload& payload, const char* field) {
  fits(payload.size(), kPayloadBytesMax, field);
  return static_cast<std::uint32_t>(payload.size());
}

ByteView BodyWriter::peer(Handle peer, const char* field, bool optional) {
  if (peer == kNoHandle) {
    if (!optional) error.set(ErrorCode::invalid, std::string(field) + ": no peer");
    return {};
  }
  auto encoded = peers_.encode(peer);
  if (encoded) return *encoded;
  error.set(encoded.error().code, std::string(field) + ": " + encoded.error().message);
  return {};
}

template <typename Init>
void BodyWriter::peers(const std::vector<Handle>& list, std::size_t max, const char* field,
                       Init&& init) {
  mentioned_ += list.size();
  if (list.empty() || !fits(list.size(), max, field) ||
      !fits(mentioned_, kPeersMax, "peers mentioned"))
    return;
  capnp::List<capnp::Data>::Builder out = init(static_cast<unsigned>(list.size()));
  for (unsigned i = 0; i < out.size() && !error.any(); ++i) {
    if (i % PeerCodec::kTogether == 0) peers_.prefetch(std::span(list).subspan(i));
    out.set(i, as_data(peer(list[i], field)));
  }
}

template <typename Init>
void BodyWriter::located(const std::vector<Located>& list, std::size_t max, const char* field,
                         Init&& init) {
  mentioned_ += list.size();
  if (list.empty() || !fits(list.size(), max, field) ||
      !fits(mentioned_, kPeersMax, "peers mentioned"))
    return;
  capnp::List<schema::Located>::Builder out = init(static_cast<unsigned>(list.size()));
  std::array<Handle, PeerCodec::kTogether> some;
  for (unsigned i = 0; i < out.size() && !error.any(); ++i) {
    if (i % some.size() == 0) {
      const std::size_t length = std::min(some.size(), list.size() - i);
      for (std::size_t j = 0; j < length; ++j) some[j] = list[i + j].peer;
      peers_.prefetch(std::span(some).first(length));
    }
    out[i].setPeer(as_data(peer(list[i].peer, field)));
    out[i].setDistanceUs(distance_us(list[i].distance));
  }
}

void BodyWriter::row(const Row& row, schema::Row::Builder out) {
  if (row.index >= geometry_.rows)
    error.set(ErrorCode::invalid, "row.index: " + std::to_string(row.index));
  out.setIndex(row.index);
  peers(row.entries, geometry_.entries, "row.entries",
        [&](unsigned count) { return out.initEntries(count); });
}

template <typename Init>
void BodyWriter::rows(const std::vector<Row>& list, Init&& init) {
  if (list.empty() || !fits(list.size(), geometry_.rows, "rows")) return;
  capnp::List<schema::Row>::Builder out = init(static_cast<unsigned>(list.size()));
  for (unsigned i = 0; i < out.size() && !error.any(); ++i) row(list[i], out[i]);
}

void BodyWriter::write(const Message& message, schema::Envelope::Builder out) {
  std::visit([&](const auto& body) { write(body, out); }, message);
}

void BodyWriter::write(const Routed& message, schema::Envelope::Builder out) {
  const RouteHeader& header = message.header;
  auto body = out.initRouted();
  body.setKeyHigh(header.key.high());
  body.setKeyLow(header.key.low());
  body.setSequence(header.sequence);
  body.setApplication(static_cast<std::uint32_t>(header.application));
  body.setHopSequence(header.hop_sequence);
  body.setPayloadSize(payload_size(message.payload, "routed.payload"));
  body.setHops(header.hops);
  body.setReroutes(header.reroutes);
  body.setReplicas(header.replicas);
  body.setKind(static_cast<schema::LookupKind>(header.kind));
  body.setWantsOutcome(header.wants_outcome);
  body.setWitnessed(header.witnessed);
  if (header.source == sender_)
    body.setSourceIsSender(true);
  else
    body.setSource(as_data(peer(header.source, "routed.source")));
  fits(header.hops, kHopsMax, "routed.hops");
  if (header.replicas == 0) error.set(ErrorCode::invalid, "routed.replicas: 0");
  fits(header.replicas, kReplicasMax, "routed.replicas");
  peers(header.avoid, kAvoidMax, "routed.avoid",
        [&](unsigned count) { return body.initAvoid(count); });
}

void BodyWriter::write(const HopAck& message, schema::Envelope::Builder out) {
  auto body = out.initHopAck();
  body.setHeld(message.held);
  if (!fits(message.ranges.size(), kAckRangesMax, "hop_ack.ranges")) return;
  auto ranges = body.initRanges(static_cast<unsigned>(message.ranges.size()));
  std::uint64_t total = 0;
  for (unsigned i = 0; i < ranges.size(); ++i) {
    ranges[i].setFirst(message.ranges[i].first);
    ranges[i].setCount(message.ranges[i].second);
    total += message.ranges[i].second;
    if (message.ranges[i].second == 0) error.set(ErrorCode::invalid, "hop_ack.ranges.count: 0");
  }
  fits(total, kAcknowledgedMax, "hop_ack.ranges: messages");
}

void BodyWriter::write(const Outcome& message, schema::Envelope::Builder out) {
  auto body = out.initOutcome();
  body.setSequence(message.sequence);
  body.setHops(message.hops);
  body.setResult(static_cast<schema::Outcome::Result>(message.result));
  fits(message.hops, kHopsMax, "outcome.hops");
}

void BodyWriter::request(const JoinRequest& request, schema::JoinRequest::Builder out) {
  mentioned_ += 1;
  out.setJoiner(as_data(peer(request.joiner, "join_request.joiner")));
  out.setAttempt(request.attempt);
  out.setHops(request.hops);
  fits(request.hops, kHopsMax, "join_request.hops");
  rows(request.rows, [&](unsigned count) { return out.initRows(count); });
}

void BodyWriter::write(const JoinRequest& message, schema::Envelope::Builder out) {
  request(message, out.initJoinRequest());
}

void BodyWriter::write(const JoinTransfer& message, schema::Envelope::Builder out) {
  request(message.request, out.initJoinTransfer());
}

void BodyWriter::write(const GapReserve& message, schema::Envelope::Builder out) {
  auto body = out.initGapReserve();
  body.setBatch(message.batch);
  peers(message.joiners, kBatchMax, "gap_reserve.joiners",
        [&](unsigned count) { return body.initJoiners(count); });
}

void BodyWriter::write(const GapReserveReply& message, schema::Envelope::Builder out) {
  auto body = out.initGapReserveReply();
  body.setBatch(message.batch);
  body.setGranted(message.granted);
  const ByteView predecessor = peer(message.predecessor, "gap_reserve_reply.predecessor", true);
  if (!predecessor.empty()) body.setPredecessor(as_data(predecessor));
}

void BodyWriter::write(const JoinGrant& message, schema::Envelope::Builder out) {
  auto body = out.initJoinGrant();
  body.setAttempt(message.attempt);
  body.setBatch(message.batch);
  peers(message.batch_joiners, kBatchMax, "join_grant.batch_joiners",
        [&](unsigned count) { return body.initBatchJoiners(count); });
  const ByteView successor = peer(message.successor, "join_grant.successor", true);
  if (!successor.empty()) body.setSuccessor(as_data(successor));
  peers(message.leaf_set, kLeafSetMax, "join_grant.leaf_set",
        [&](unsigned count) { return body.initLeafSet(count); });
  rows(message.rows, [&](unsigned count) { return body.initRows(count); });
}

void BodyWriter::write(const JoinReport& message, schema::Envelope::Builder out) {
  auto body = out.initJoinReport();
  body.setBatch(message.batch);
  body.setActive(message.active);
}

void BodyWriter::write(const GapRelease& message, schema::Envelope::Builder out) {
  out.initGapRelease().setBatch(message.batch);
}

void BodyWriter::write(const JoinRefused& message, schema::Envelope::Builder out) {
  auto body = out.initJoinRefused();
  body.setAttempt(message.attempt);
  body.setRetryAfterMs(milliseconds(message.retry_after, kRetryAfterMax));
}

void BodyWriter::write(const LeafProbe& message, schema::Envelope::Builder out) {
  auto body = out.initLeafProbe();
  body.setToken(message.token);
  body.setReply(message.reply);
  body.setActive(message.active);
  peers(message.leaf_set, kLeafSetMax, "leaf_probe.leaf_set",
        [&](unsigned count) { return body.initLeafSet(count); });
  peers(message.failed, kFailedMax, "leaf_probe.failed",
        [&](unsigned count) { return body.initFailed(count); });
  body.setProbePeriodMs(milliseconds(message.probe_period, kProbePeriodMax));
  body.setRoundTripNs(round_trip_ns(message.round_trip));
}

void BodyWriter::write(const Lease& message, schema::Envelope::Builder out) {
  auto body = out.initLease();
  body.setRequest(message.request);
  body.setGrant(message.grant);
  body.setLeft(message.left);
  body.setRight(message.right);
  body.setActive(message.active);
  body.setVouches(message.vouches);
  body.setOthersMs(lease_rest_ms(message.others));
  if (message.guarded.size() > kGuardedMax) {
    error.set(ErrorCode::too_large, "lease.guarded: " + std::to_string(message.guarded.size()));
    return;
  }
  if (message.guarded.empty()) return;
  auto guarded = body.initGuarded(static_cast<unsigned>(message.guarded.size()));
  for (unsigned i = 0; i < guarded.size(); ++i) {
    const auto& [node, remaining] = message.guarded[i];
    guarded[i].setPeer(as_data(peer(node, "lease.guarded", false)));
    guarded[i].setRemainingMs(lease_rest_ms(remaining));
  }
}

void BodyWriter::write(const Ping& message, schema::Envelope::Builder out) {
  out.initPing().setToken(message.token);
}

void BodyWriter::write(const Pong& message, schema::Envelope::Builder out) {
  auto body = out.initPong();
  body.setToken(message.token);
  body.setActive(message.active);
  body.setWantedUs(distance_us(message.wanted));
}

void BodyWriter::write(const RowRequest& message, schema::Envelope::Builder out) {
  auto body = out.initRowRequest();
  for (const std::uint8_t row : {message.first, message.last}) {
    if (row >= geometry_.rows)
      error.set(ErrorCode::invalid, "row_request.row: " + std::to_string(row));
  }
  body.setFirst(message.first);
  body.setLast(message.last);
}

void BodyWriter::write(const RowReply& message, schema::Envelope::Builder out) {
  auto body = out.initRowReply();
  located(message.entries, kRowReplyEntriesMax, "row_reply.entries",
          [&](unsigned count) { return body.initEntries(count); });
}

void BodyWriter::write(const NeighbourhoodRequest&, schema::Envelope::Builder out) {
  out.setNeighbourhoodRequest();
}

void BodyWriter::write(const NeighbourhoodReply& message, schema::Envelope::Builder out) {
  auto body = out.initNeighbourhoodReply();
  located(message.members, kNeighbourhoodMax, "neighbourhood_reply.members",
          [&](unsigned count) { return body.initMembers(count); });
}

void BodyWriter::write(const Announce& message, schema::Envelope::Builder out) {
  auto body = out.initAnnounce();
  body.setRoundTripNs(round_trip_ns(message.round_trip));
  located(message.row, geometry_.entries, "announce.row",
          [&](unsigned count) { return body.initRow(count); });
}

void BodyWriter::write(const Leave& message, schema::Envelope::Builder out) {
  auto body = out.initLeave();
  body.setGivesUp(message.gives_up);
  peers(message.leaf_set, kLeafSetMax, "leave.leaf_set",
        [&](unsigned count) { return body.initLeafSet(count); });
}

void BodyWriter::write(const Seek& message, schema::Envelope::Builder out) {
  auto body = out.initSeek();
  mentioned_ += 1;
  body.setSeeker(as_data(peer(message.seeker, "seek.seeker")));
  body.setHops(message.hops);
  fits(message.hops, kHopsMax, "seek.hops");
}

void BodyWriter::write(const Relay& message, schema::Envelope::Builder out) {
  auto body = out.initRelay();
  mentioned_ += 2;
  body.setSource(as_data(peer(message.source, "relay.source")));
  body.setTarget(as_data(peer(message.target, "relay.target")));
  if (!message.enclosed || std::holds_alternative<Relay>(message.enclosed->message)) {
    return error.set(ErrorCode::invalid, "relay.enclosed: nothing, or another relay");
  }
  write(message.enclosed->message, body.initEnclosed());
}

void BodyWriter::write(const Direct& message, schema::Envelope::Builder out) {
  auto body = out.initDirect();
  body.setApplication(static_cast<std::uint32_t>(message.application));
  body.setRequest(message.request);
  body.setPayloadSize(payload_size(message.payload, "direct.payload"));
  body.setReply(message.reply);
  body.setRefused(message.refused);
  peers(message.peers, kIntroducedMax, "direct.peers",
        [&](unsigned count) { return body.initPeers(count); });
}

}  // namespace pastry::wire
