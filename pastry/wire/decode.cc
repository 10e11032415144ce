// Schema -> values, every bound checked.
#include <algorithm>
#include <array>
#include <span>

#include "pastry/wire/body.h"

namespace pastry::wire {

namespace {

Proximity distance(std::uint32_t us) {
  if (us == kDistanceUnknownUs) return Proximity();
  return Proximity::from(std::chrono::microseconds(us));
}

Duration lease_rest(std::uint32_t ms) {
  return std::min<Duration>(std::chrono::milliseconds(ms), kLeaseRestMax);
}

Duration round_trip(std::int64_t ns) {
  return std::clamp(Duration{ns}, Duration{-1}, kRoundTripMax);
}

}  // namespace

bool BodyReader::fits(std::size_t size, std::size_t max, const char* field) {
  if (size <= max) return true;
  error.set(ErrorCode::too_large,
            std::string(field) + ": " + std::to_string(size) + " is over " + std::to_string(max));
  return false;
}

std::uint16_t BodyReader::hops(std::uint16_t hops, const char* field) {
  fits(hops, kHopsMax, field);
  return hops;
}

void BodyReader::payload_size(std::uint32_t size, const Payload& payload, const char* field) {
  if (size != payload.size())
    error.set(ErrorCode::invalid, std::string(field) + ": the header says " + std::to_string(size) +
                                      " bytes, the frame has " + std::to_string(payload.size()));
}

Handle BodyReader::peer(capnp::Data::Reader in, const char* field, bool optional) {
  return peer(as_view(in), field, optional);
}

Handle BodyReader::peer(ByteView in, const char* field, bool optional) {
  if (error.any()) return kNoHandle;
  if (in.size() == 0) {
    if (!optional) error.set(ErrorCode::invalid, std::string(field) + ": no peer");
    return kNoHandle;
  }
  auto handle = peers_.decode(in);
  if (handle) return *handle;
  error.set(handle.error().code, std::string(field) + ": " + handle.error().message);
  return kNoHandle;
}

// take(i, peer) for those that at(i) gives.
template <typename At, typename Take>
void BodyReader::each_peer(unsigned count, const char* field, At&& at, Take&& take) {
  std::array<ByteView, PeerCodec::kTogether> some;
  for (unsigned begin = 0; begin < count && !error.any(); begin += PeerCodec::kTogether) {
    const unsigned length = std::min<unsigned>(PeerCodec::kTogether, count - begin);
    for (unsigned i = 0; i < length; ++i) some[i] = as_view(at(begin + i));
    peers_.prefetch(std::span(some).first(length));
    for (unsigned i = 0; i < length && !error.any(); ++i) {
      take(begin + i, peer(some[i], field));
    }
  }
}

std::vector<Handle> BodyReader::peers(capnp::List<capnp::Data>::Reader in, std::size_t max,
                                      const char* field) {
  std::vector<Handle> list;
  mentioned_ += in.size();
  if (error.any() || in.size() == 0 || !fits(in.size(), max, field) ||
      !fits(mentioned_, kPeersMax, "peers mentioned"))
    return list;
  list.reserve(in.size());
  each_peer(
      in.size(), field, [&](unsigned i) { return in[i]; },
      [&](unsigned, Handle peer) { list.push_back(peer); });
  return list;
}

std::vector<Located> BodyReader::located(capnp::List<schema::Located>::Reader in, std::size_t max,
                                         const char* field) {
  std::vector<Located> list;
  mentioned_ += in.size();
  if (error.any() || in.size() == 0 || !fits(in.size(), max, field) ||
      !fits(mentioned_, kPeersMax, "peers mentioned"))
    return list;
  list.reserve(in.size());
  each_peer(
      in.size(), field, [&](unsigned i) { return in[i].getPeer(); },
      [&](unsigned i, Handle peer) {
        list.push_back({peer, distance(in[i].getDistanceUs())});
      });
  return list;
}

Row BodyReader::row(schema::Row::Reader in) {
  Row row;
  row.index = in.getIndex();
  if (row.index >= geometry_.rows)
    error.set(ErrorCode::invalid, "row.index: " + std::to_string(row.index));
  row.entries = peers(in.getEntries(), geometry_.entries, "row.entries");
  return row;
}

std::vector<Row> BodyReader::rows(capnp::List<schema::Row>::Reader in, const char* field) {
  std::vector<Row> list;
  if (error.any() || !fits(in.size(), geometry_.rows, field)) return list;
  list.reserve(in.size());
  for (unsigned i = 0; i < in.size() && !error.any(); ++i) list.push_back(row(in[i]));
  return list;
}

Routed BodyReader::routed(schema::Routed::Reader in, Payload payload) {
  Routed message;
  RouteHeader& header = message.header;
  payload_size(in.getPayloadSize(), payload, "routed.payload");
  header.key = Key(in.getKeyHigh(), in.getKeyLow());
  header.sequence = in.getSequence();
  header.application = ApplicationId{in.getApplication()};
  header.hop_sequence = in.getHopSequence();
  header.hops = hops(in.getHops(), "routed.hops");
  header.reroutes = in.getReroutes();
  header.replicas = in.getReplicas();
  header.wants_outcome = in.getWantsOutcome();
  header.witnessed = in.getWitnessed();
  if (header.replicas == 0 || header.replicas > kReplicasMax)
    error.set(ErrorCode::invalid, "routed.replicas: " + std::to_string(header.replicas));
  const auto kind = static_cast<std::uint16_t>(in.getKind());
  if (kind > static_cast<std::uint16_t>(LookupKind::replica))
    error.set(ErrorCode::incompatible, "routed.kind: " + std::to_string(kind));
  header.kind = static_cast<LookupKind>(kind);
  header.source = in.getSourceIsSender() ? sender_ : peer(in.getSource(), "routed.source");
  if (in.hasAvoid()) header.avoid = peers(in.getAvoid(), kAvoidMax, "routed.avoid");
  message.payload = std::move(payload);
  return message;
}

HopAck BodyReader::hop_ack(schema::HopAck::Reader in) {
  HopAck message;
  message.held = in.getHeld();
  const auto ranges = in.getRanges();
  if (!fits(ranges.size(), kAckRangesMax, "hop_ack.ranges")) return message;
  message.ranges.reserve(ranges.size());
  std::uint64_t total = 0;
  for (const auto range : ranges) {
    message.ranges.emplace_back(range.getFirst(), range.getCount());
    total += range.getCount();
    if (range.getCount() == 0) error.set(ErrorCode::invalid, "hop_ack.ranges.count: 0");
  }
  fits(total, kAcknowledgedMax, "hop_ack.ranges: messages");
  return message;
}

Outcome BodyReader::outcome(schema::Outcome::Reader in) {
  Outcome message;
  message.sequence = in.getSequence();
  message.hops = hops(in.getHops(), "outcome.hops");
  const auto result = static_cast<std::uint16_t>(in.getResult());
  if (result > static_cast<std::uint16_t>(RouteResult::undeliverable))
    error.set(ErrorCode::incompatible, "outcome.result: " + std::to_string(result));
  message.result = static_cast<RouteResult>(result);
  return message;
}

JoinRequest BodyReader::request(schema::JoinRequest::Reader in) {
  JoinRequest message;
  mentioned_ += 1;
  message.joiner = peer(in.getJoiner(), "join_request.joiner");
  message.attempt = in.getAttempt();
  message.hops = hops(in.getHops(), "join_request.hops");
  message.rows = rows(in.getRows(), "join_request.rows");
  return message;
}

JoinGrant BodyReader::join_grant(schema::JoinGrant::Reader in) {
  JoinGrant message;
  message.attempt = in.getAttempt();
  message.batch = in.getBatch();
  message.batch_joiners = peers(in.getBatchJoiners(), kBatchMax, "join_grant.batch_joiners");
  message.successor = peer(in.getSuccessor(), "join_grant.successor", true);
  message.leaf_set = peers(in.getLeafSet(), kLeafSetMax, "join_grant.leaf_set");
  message.rows = rows(in.getRows(), "join_grant.rows");
  return message;
}

JoinRefused BodyReader::join_refused(schema::JoinRefused::Reader in) {
  JoinRefused message;
  message.attempt = in.getAttempt();
  message.retry_after =
      std::min<Duration>(std::chrono::milliseconds(in.getRetryAfterMs()), kRetryAfterMax);
  return message;
}

Announce BodyReader::announce(schema::Announce::Reader in) {
  return {round_trip(in.getRoundTripNs()), located(in.getRow(), geometry_.entries, "announce.row")};
}

LeafProbe BodyReader::leaf_probe(schema::LeafProbe::Reader in) {
  LeafProbe message;
  message.token = in.getToken();
  message.reply = in.getReply();
  message.active = in.getActive();
  message.leaf_set = peers(in.getLeafSet(), kLeafSetMax, "leaf_probe.leaf_set");
  message.failed = peers(in.getFailed(), kFailedMax, "leaf_probe.failed");
  message.probe_period =
      std::min<Duration>(std::chrono::milliseconds(in.getProbePeriodMs()), kProbePeriodMax);
  message.round_trip = round_trip(in.getRoundTripNs());
  return message;
}

Lease BodyReader::lease(schema::Lease::Reader in) {
  Lease message;
  message.request = in.getRequest();
  message.grant = in.getGrant();
  message.left = in.getLeft();
  message.right = in.getRight();
  message.active = in.getActive();
  message.vouches = in.getVouches();
  message.others = lease_rest(in.getOthersMs());
  if (!in.hasGuarded()) return message;
  const auto guarded = in.getGuarded();
  if (guarded.size() > kGuardedMax) {
    error.set(ErrorCode::too_large, "lease.guarded: " + std::to_string(guarded.size()));
    return message;
  }
  message.guarded.reserve(guarded.size());
  for (const auto entry : guarded) {
    message.guarded.emplace_back(peer(entry.getPeer(), "lease.guarded"),
                                 lease_rest(entry.getRemainingMs()));
  }
  return message;
}

Direct BodyReader::direct(schema::Direct::Reader in, Payload payload) {
  Direct message;
  payload_size(in.getPayloadSize(), payload, "direct.payload");
  message.application = ApplicationId{in.getApplication()};
  message.request = in.getRequest();
  message.reply = in.getReply();
  message.refused = in.getRefused();
  if (in.hasPeers()) message.peers = peers(in.getPeers(), kIntroducedMax, "direct.peers");
  message.payload = std::move(payload);
  return message;
}

Seek BodyReader::seek(schema::Seek::Reader in) {
  mentioned_ += 1;
  return {peer(in.getSeeker(), "seek.seeker"), hops(in.getHops(), "seek.hops")};
}

Relay BodyReader::relay(schema::Relay::Reader in, Payload payload) {
  Relay message;
  mentioned_ += 2;
  message.source = peer(in.getSource(), "relay.source");
  message.target = peer(in.getTarget(), "relay.target");
  const auto enclosed = in.getEnclosed();
  if (enclosed.which() == schema::Envelope::RELAY) {
    error.set(ErrorCode::invalid, "relay.enclosed: another relay");
  } else {
    message.enclosed =
        std::make_shared<const Enclosed>(Enclosed{read(enclosed, std::move(payload))});
  }
  return message;
}

Message BodyReader::read(schema::Envelope::Reader in, Payload payload) {
  using Kind = schema::Envelope::Which;
  const Kind kind = in.which();
  if (kind == Kind::ROUTED) return routed(in.getRouted(), std::move(payload));
  if (kind == Kind::DIRECT) return direct(in.getDirect(), std::move(payload));
  if (kind == Kind::RELAY) return relay(in.getRelay(), std::move(payload));
  if (!payload.empty()) error.set(ErrorCode::invalid, "payload: this kind of message has none");
  switch (kind) {
    case Kind::HOP_ACK:
      return hop_ack(in.getHopAck());
    case Kind::OUTCOME:
      return outcome(in.getOutcome());
    case Kind::JOIN_REQUEST:
      return request(in.getJoinRequest());
    case Kind::JOIN_TRANSFER:
      return JoinTransfer{request(in.getJoinTransfer())};
    case Kind::GAP_RESERVE: {
      const auto body = in.getGapReserve();
      return GapReserve{body.getBatch(),
                        peers(body.getJoiners(), kBatchMax, "gap_reserve.joiners")};
    }
    case Kind::GAP_RESERVE_REPLY: {
      const auto body = in.getGapReserveReply();
      return GapReserveReply{body.getBatch(), body.getGranted(),
                             peer(body.getPredecessor(), "gap_reserve_reply.predecessor", true)};
    }
    case Kind::JOIN_GRANT:
      return join_grant(in.getJoinGrant());
    case Kind::JOIN_REPORT:
      return JoinReport{in.getJoinReport().getBatch(), in.getJoinReport().getActive()};
    case Kind::GAP_RELEASE:
      return GapRelease{in.getGapRelease().getBatch()};
    case Kind::JOIN_REFUSED:
      return join_refused(in.getJoinRefused());
    case Kind::LEAF_PROBE:
      return leaf_probe(in.getLeafProbe());
    case Kind::LEASE:
      return lease(in.getLease());
    case Kind::PING:
      return Ping{in.getPing().getToken()};
    case Kind::PONG:
      return Pong{in.getPong().getToken(), in.getPong().getActive(),
                  distance(in.getPong().getWantedUs())};
    case Kind::ROW_REQUEST: {
      const RowRequest request{in.getRowRequest().getFirst(), in.getRowRequest().getLast()};
      for (const std::uint8_t row : {request.first, request.last}) {
        if (row >= geometry_.rows)
          error.set(ErrorCode::invalid, "row_request.row: " + std::to_string(row));
      }
      return request;
    }
    case Kind::ROW_REPLY:
      return RowReply{
          located(in.getRowReply().getEntries(), kRowReplyEntriesMax, "row_reply.entries")};
    case Kind::NEIGHBOURHOOD_REQUEST:
      return NeighbourhoodRequest{};
    case Kind::NEIGHBOURHOOD_REPLY:
      return NeighbourhoodReply{located(in.getNeighbourhoodReply().getMembers(), kNeighbourhoodMax,
                                        "neighbourhood_reply.members")};
    case Kind::ANNOUNCE:
      return announce(in.getAnnounce());
    case Kind::LEAVE:
      return Leave{peers(in.getLeave().getLeafSet(), kLeafSetMax, "leave.leaf_set"),
                   in.getLeave().getGivesUp()};
    case Kind::SEEK:
      return seek(in.getSeek());
    default:
      error.set(ErrorCode::incompatible,
                "kind: " + std::to_string(static_cast<std::uint16_t>(kind)) + " is unknown");
      return Ping{};
  }
}

}  // namespace pastry::wire
