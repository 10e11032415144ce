// Every bound of the protocol: what lies just within is accepted, what lies beyond is refused with
// an error that names the field, on the way in and on the way out.
#include <doctest/doctest.h>

#include "tests/wire/bounds.h"

namespace pastry::wire {
namespace {

TEST_CASE("envelope: version, overlay, kind") {
  Victim victim;
  const auto ping = [](Out out) { out.initPing().setToken(1); };
  CHECK(victim.answer(ping) == "");
  CHECK_REFUSED(victim.answer([&](Out out) {
    ping(out);
    out.setVersion(kProtocolVersion + 1);
  }),
                "version", ErrorCode::incompatible);
  CHECK_REFUSED(victim.answer([&](Out out) {
    ping(out);
    out.setOverlayTag(1);
  }),
                "overlay", ErrorCode::incompatible);
  Bytes frame = victim.frame(ping);
  frame[22] = 200;  // the union's tag: bits 48 … 63 of the envelope's first word
  CHECK_REFUSED(victim.answer_to(frame), "kind: 200", ErrorCode::incompatible);
}

TEST_CASE("envelope: the sender must be known or described, and described rightly") {
  Victim victim;
  const auto other_sender = [](Out out) {
    out.setSenderHigh(5);
    out.initPing();
  };
  CHECK_REFUSED(victim.answer(other_sender), "sender", ErrorCode::not_found);
  CHECK_REFUSED(victim.answer([](Out out) {
    out.setSenderIncarnation(99);
    out.initPing();
  }),
                "sender", ErrorCode::not_found);
  const Bytes described = victim.new_peer();
  CHECK_REFUSED(victim.answer([&](Out out) {
    out.setSender(data(described));
    out.initPing();
  }),
                "sender", ErrorCode::invalid);
  CHECK_REFUSED(victim.answer([&](Out out) {
    out.setSender(data(Bytes{1, 2, 3}));
    out.initPing();
  }),
                "sender", ErrorCode::invalid);
}

TEST_CASE("envelope: the sender's first message describes it, then now and then") {
  Random random(3);
  OpenVerifier verifier;
  Directory here;
  Directory there;
  Codec sender(here, verifier, {1});
  Codec receiver(there, verifier, {1});
  const Handle a = here.intern(plain_peer(random));
  const Handle b = here.intern(plain_peer(random));
  Frames frames;
  std::vector<int> described;
  std::size_t small = SIZE_MAX;
  for (int i = 1; i <= 200; ++i) {
    REQUIRE(sender.encode(a, b, Lease{}, frames));
    small = std::min(small, frames.header.size());
    if (frames.header.size() > small) described.push_back(i);
    if (i == 1) small = frames.header.size();
    const auto decoded = receiver.decode(frames.header);
    REQUIRE(decoded);
    CHECK(there.info(decoded->from) == here.info(a));
  }
  // The first two are equal in size, so the loop sees the third as the first that is small.
  CHECK(described == std::vector<int>{4, 8, 16, 32, 64, 128, 192});
  CHECK(verifier.calls == 1);
}

TEST_CASE("routed: bounds") {
  Victim victim;
  const Bytes peer = victim.new_peer();
  const auto routed = [&](auto&& change, Payload payload = {}) {
    return victim.answer(
        [&](Out out) {
          auto body = out.initRouted();
          body.setReplicas(1);
          body.setSource(data(peer));
          change(body);
        },
        std::move(payload));
  };
  using Routed = schema::Routed::Builder;
  CHECK(routed([](Routed body) { body.setHops(kHopsMax); }) == "");
  CHECK_REFUSED(routed([](Routed body) { body.setHops(kHopsMax + 1); }), "routed.hops",
                ErrorCode::too_large);
  CHECK(routed([](Routed body) { body.setReplicas(kReplicasMax); }) == "");
  CHECK_REFUSED(routed([](Routed body) { body.setReplicas(kReplicasMax + 1); }), "routed.replicas",
                ErrorCode::invalid);
  CHECK_REFUSED(routed([](Routed body) { body.setReplicas(0); }), "routed.replicas",
                ErrorCode::invalid);
  CHECK_REFUSED(routed([](Routed body) { body.setKind(static_cast<schema::LookupKind>(2)); }),
                "routed.kind", ErrorCode::incompatible);
  CHECK(routed([&](Routed body) { fill(body.initAvoid(kAvoidMax), peer); }) == "");
  CHECK_REFUSED(routed([&](Routed body) { fill(body.initAvoid(kAvoidMax + 1), peer); }),
                "routed.avoid", ErrorCode::too_large);
  CHECK_REFUSED(routed([](Routed body) { body.disownSource(); }), "routed.source",
                ErrorCode::invalid);
  CHECK(routed([](Routed body) { body.setPayloadSize(3); }, Payload(Bytes{1, 2, 3})) == "");
  CHECK_REFUSED(routed([](Routed body) { body.setPayloadSize(4); }, Payload(Bytes{1, 2, 3})),
                "routed.payload", ErrorCode::invalid);
  CHECK_REFUSED(routed([](Routed body) { body.setPayloadSize(4); }), "routed.payload",
                ErrorCode::invalid);
  CHECK_REFUSED(routed([](Routed body) { body.setPayloadSize(kPayloadBytesMax + 1); },
                       Payload(Bytes(kPayloadBytesMax + 1))),
                "payload", ErrorCode::too_large);
}

TEST_CASE("hop_ack, outcome: bounds") {
  Victim victim;
  const auto ack = [&](unsigned ranges, std::uint32_t count) {
    return victim.answer([&](Out out) {
      auto list = out.initHopAck().initRanges(ranges);
      for (auto range : list) range.setCount(count);
    });
  };
  CHECK(ack(kAckRangesMax, 1) == "");
  CHECK(ack(0, 1) == "");
  CHECK_REFUSED(ack(kAckRangesMax + 1, 1), "hop_ack.ranges", ErrorCode::too_large);
  CHECK_REFUSED(ack(1, 0), "hop_ack.ranges.count", ErrorCode::invalid);
  CHECK(ack(1, kAcknowledgedMax) == "");
  CHECK_REFUSED(ack(2, kAcknowledgedMax), "hop_ack.ranges", ErrorCode::too_large);
  CHECK_REFUSED(ack(kAckRangesMax, UINT32_MAX), "hop_ack.ranges", ErrorCode::too_large);
  CHECK_REFUSED(victim.answer([](Out out) {
    out.initOutcome().setResult(static_cast<schema::Outcome::Result>(4));
  }),
                "outcome.result", ErrorCode::incompatible);
  CHECK_REFUSED(victim.answer([](Out out) { out.initOutcome().setHops(kHopsMax + 1); }),
                "outcome.hops", ErrorCode::too_large);
}

TEST_CASE("seek, relay: bounds") {
  Victim victim;
  const Bytes peer = victim.new_peer();
  const auto seek = [&](std::uint16_t hops, bool named) {
    return victim.answer([&](Out out) {
      auto body = out.initSeek();
      if (named) body.setSeeker(data(peer));
      body.setHops(hops);
    });
  };
  CHECK(seek(kHopsMax, true) == "");
  CHECK_REFUSED(seek(kHopsMax + 1, true), "seek.hops", ErrorCode::too_large);
  CHECK_REFUSED(seek(0, false), "seek.seeker", ErrorCode::invalid);

  const auto relay = [&](auto&& enclose, Payload payload = {}) {
    return victim.answer(
        [&](Out out) {
          auto body = out.initRelay();
          body.setSource(data(peer));
          body.setTarget(data(peer));
          enclose(body);
        },
        std::move(payload));
  };
  using RelayBody = schema::Relay::Builder;
  const auto ping = [](RelayBody body) { body.initEnclosed().initPing(); };
  CHECK(relay(ping) == "");
  CHECK(relay([](RelayBody body) { body.initEnclosed().initDirect().setPayloadSize(3); },
              Payload(Bytes{1, 2, 3})) == "");
  CHECK_REFUSED(relay(ping, Payload(Bytes{1, 2, 3})), "payload", ErrorCode::invalid);
  CHECK_REFUSED(relay([](RelayBody body) { body.initEnclosed().initRelay(); }), "relay.enclosed",
                ErrorCode::invalid);
  CHECK_REFUSED(relay([&](RelayBody body) {
                  ping(body);
                  body.disownTarget();
                }),
                "relay.target", ErrorCode::invalid);
  CHECK_REFUSED(relay([&](RelayBody body) {
                  ping(body);
                  body.disownSource();
                }),
                "relay.source", ErrorCode::invalid);
  // The bounds of what is enclosed hold as ever, and its peers count with those of the relay.
  CHECK_REFUSED(relay([&](RelayBody body) {
                  fill(body.initEnclosed().initLeave().initLeafSet(kLeafSetMax + 1), peer);
                }),
                "leave.leaf_set", ErrorCode::too_large);
}

TEST_CASE("lists of peers: bounds") {
  Victim victim;
  const Bytes peer = victim.new_peer();
  const auto check = [&](const char* field, std::size_t max, auto&& init) {
    CAPTURE(field);
    const auto with = [&](std::size_t count) {
      return victim.answer([&](Out out) { fill(init(out, static_cast<unsigned>(count)), peer); });
    };
    CHECK(with(max) == "");
    CHECK_REFUSED(with(max + 1), field, ErrorCode::too_large);
  };
  check("gap_reserve.joiners", kBatchMax,
        [](Out out, unsigned n) { return out.initGapReserve().initJoiners(n); });
  check("join_grant.batch_joiners", kBatchMax,
        [](Out out, unsigned n) { return out.initJoinGrant().initBatchJoiners(n); });
  check("join_grant.leaf_set", kLeafSetMax,
        [](Out out, unsigned n) { return out.initJoinGrant().initLeafSet(n); });
  check("leaf_probe.leaf_set", kLeafSetMax,
        [](Out out, unsigned n) { return out.initLeafProbe().initLeafSet(n); });
  check("leaf_probe.failed", kFailedMax,
        [](Out out, unsigned n) { return out.initLeafProbe().initFailed(n); });
  check("leave.leaf_set", kLeafSetMax,
        [](Out out, unsigned n) { return out.initLeave().initLeafSet(n); });
  check("direct.peers", kIntroducedMax,
        [](Out out, unsigned n) { return out.initDirect().initPeers(n); });
  check("row.entries", 16, [&](Out out, unsigned n) {
    auto body = out.initJoinRequest();
    body.setJoiner(data(peer));
    return body.initRows(1)[0].initEntries(n);
  });
}

TEST_CASE("located peers: bounds") {
  Victim victim;
  const Bytes peer = victim.new_peer();
  const auto fill_located = [&](capnp::List<schema::Located>::Builder list) {
    for (auto entry : list) entry.setPeer(data(peer));
  };
  const auto entries = [&](unsigned count) {
    return victim.answer([&](Out out) { fill_located(out.initRowReply().initEntries(count)); });
  };
  const auto members = [&](unsigned count) {
    return victim.answer(
        [&](Out out) { fill_located(out.initNeighbourhoodReply().initMembers(count)); });
  };
  CHECK(entries(kRowReplyEntriesMax) == "");
  CHECK_REFUSED(entries(kRowReplyEntriesMax + 1), "row_reply.entries", ErrorCode::too_large);
  const auto row = [&](unsigned count) {
    return victim.answer([&](Out out) { fill_located(out.initAnnounce().initRow(count)); });
  };
  CHECK(row(16) == "");
  CHECK_REFUSED(row(17), "announce.row", ErrorCode::too_large);
  CHECK(members(kNeighbourhoodMax) == "");
  CHECK_REFUSED(members(kNeighbourhoodMax + 1), "neighbourhood_reply.members",
                ErrorCode::too_large);
  CHECK_REFUSED(victim.answer([](Out out) { out.initRowReply().initEntries(1); }),
                "row_reply.entries", ErrorCode::invalid);
  const auto distance = [&](std::uint32_t us) {
    const auto decoded = victim.codec.decode(victim.frame([&](Out out) {
      auto list = out.initRowReply().initEntries(1);
      list[0].setPeer(data(peer));
      list[0].setDistanceUs(us);
    }));
    REQUIRE(decoded);
    return std::get<RowReply>(decoded->message).entries.front().distance;
  };
  CHECK_FALSE(distance(kDistanceUnknownUs).known());
  CHECK(distance(1500).round_trip() == std::chrono::microseconds(1500));
  CHECK(distance(kDistanceUnknownUs - 1) == Proximity::from(kRoundTripMax));
}

TEST_CASE("rows: bounds") {
  Victim victim;
  const Bytes peer = victim.new_peer();
  const auto rows = [&](unsigned count) {
    return victim.answer([&](Out out) {
      auto body = out.initJoinRequest();
      body.setJoiner(data(peer));
      body.initRows(count);
    });
  };
  CHECK(rows(32) == "");
  CHECK_REFUSED(rows(33), "join_request.rows", ErrorCode::too_large);
  CHECK_REFUSED(victim.answer([&](Out out) {
    auto body = out.initJoinRequest();
    body.setJoiner(data(peer));
    body.initRows(1)[0].setIndex(32);
  }),
                "row.index", ErrorCode::invalid);
  CHECK(victim.answer([](Out out) { out.initRowRequest().setFirst(31); }) == "");
  CHECK(victim.answer([](Out out) { out.initRowRequest().setLast(31); }) == "");
  CHECK_REFUSED(victim.answer([](Out out) { out.initRowRequest().setFirst(32); }),
                "row_request.row", ErrorCode::invalid);
  CHECK_REFUSED(victim.answer([](Out out) { out.initRowRequest().setLast(32); }), "row_request.row",
                ErrorCode::invalid);
  CHECK_REFUSED(victim.answer([](Out out) { out.initJoinRequest(); }), "join_request.joiner",
                ErrorCode::invalid);
  CHECK_REFUSED(victim.answer([&](Out out) {
    auto body = out.initJoinTransfer();
    body.setJoiner(data(peer));
    body.setHops(kHopsMax + 1);
  }),
                "join_request.hops", ErrorCode::too_large);
}

TEST_CASE("rows: all lists of a message together, and other values of b") {
  Victim victim(8);
  const Bytes peer = victim.new_peer();
  const auto grant = [&](unsigned full_rows) {
    return victim.answer([&](Out out) {
      auto list = out.initJoinGrant().initRows(full_rows);
      for (auto row : list) fill(row.initEntries(256), peer);
    });
  };
  CHECK(grant(7) == "");
  CHECK_REFUSED(grant(9), "peers mentioned", ErrorCode::too_large);
  CHECK_REFUSED(victim.answer([](Out out) { out.initRowRequest().setLast(16); }), "row_request.row",
                ErrorCode::invalid);
}

TEST_CASE("optional peers and durations") {
  Victim victim;
  const auto reserve = victim.codec.decode(
      victim.frame([](Out out) { out.initGapReserveReply().setGranted(true); }));
  REQUIRE(reserve);
  CHECK(std::get<GapReserveReply>(reserve->message).predecessor == kNoHandle);
  const auto refused = victim.codec.decode(
      victim.frame([](Out out) { out.initJoinRefused().setRetryAfterMs(UINT32_MAX); }));
  REQUIRE(refused);
  CHECK(std::get<JoinRefused>(refused->message).retry_after == kRetryAfterMax);
  const auto announce = victim.codec.decode(
      victim.frame([](Out out) { out.initAnnounce().setRoundTripNs(INT64_MAX); }));
  REQUIRE(announce);
  CHECK(std::get<Announce>(announce->message).round_trip == kRoundTripMax);
  const auto negative = victim.codec.decode(
      victim.frame([](Out out) { out.initAnnounce().setRoundTripNs(INT64_MIN); }));
  REQUIRE(negative);
  CHECK(std::get<Announce>(negative->message).round_trip == Duration{-1});
  CHECK_REFUSED(victim.answer([](Out out) { out.initPing(); }, Payload(Bytes{1})), "payload",
                ErrorCode::invalid);
}

TEST_CASE("encode refuses what decode would refuse") {
  Victim victim;
  Frames frames;
  const auto code = [&](const Message& message) {
    const auto encoded = victim.codec.encode(victim.from, victim.to, message, frames);
    if (encoded) return std::string();
    CHECK(frames.header.empty());
    return encoded.error().message;
  };
  const auto many = [&](std::size_t count) { return std::vector<Handle>(count, victim.to); };
  Routed routed;
  routed.header.source = victim.from;
  CHECK(code(routed) == "");
  routed.header.hops = kHopsMax + 1;
  CHECK(has(code(routed), "routed.hops"));
  routed.header.hops = 0;
  routed.header.replicas = 0;
  CHECK(has(code(routed), "routed.replicas"));
  routed.header.replicas = 1;
  routed.header.source = kNoHandle;
  CHECK(has(code(routed), "routed.source"));
  routed.header.source = Handle{12345};
  CHECK(has(code(routed), "routed.source"));
  routed.header.source = victim.from;
  routed.header.avoid = many(kAvoidMax + 1);
  CHECK(has(code(routed), "routed.avoid"));
  routed.header.avoid.clear();
  routed.payload = Payload(Bytes(kPayloadBytesMax + 1));
  CHECK(has(code(routed), "routed.payload"));
  CHECK(has(code(HopAck{{{1, 0}}}), "hop_ack"));
  CHECK(has(code(Leave{many(kLeafSetMax + 1)}), "leave.leaf_set"));
  CHECK(has(code(Leave{{kNoHandle}}), "leave.leaf_set"));
  CHECK(has(code(RowRequest{0, 32}), "row_request.row"));
  CHECK(has(code(RowReply{{{kNoHandle, {}}}}), "row_reply.entries"));
  CHECK(has(code(JoinRequest{}), "join_request.joiner"));
  CHECK(code(GapReserveReply{}) == "");
  CHECK_FALSE(victim.codec.encode(kNoHandle, victim.to, Ping{}, frames));
  CHECK_FALSE(victim.codec.encode(victim.from, Handle{999}, Ping{}, frames));

  PeerInfo bad = plain_peer(victim.random);
  const auto refused = [&] {
    const auto encoded =
        victim.codec.encode(victim.directory.intern(bad), victim.to, Ping{}, frames);
    return encoded ? std::string() : encoded.error().message;
  };
  CHECK(refused() == "");
  bad.host.addresses = {"tcp://127.0.0.1:05"};
  CHECK(has(refused(), "should be written"));
  bad.host.addresses = {"nowhere"};
  CHECK(has(refused(), "nowhere"));
  bad.host.addresses = std::vector<std::string>(5, "tcp://127.0.0.1:5");
  CHECK(has(refused(), "host.addresses"));
  bad.host.addresses.clear();
  bad.host.domain = std::string(65, 'a');
  CHECK(has(refused(), "host.domain"));
  bad.host.domain.clear();
  bad.signature = Bytes(129);
  CHECK(has(refused(), "peer.signature"));
}

TEST_CASE("the largest message that the bounds allow goes through") {
  Random random(5);
  OpenVerifier verifier;
  Directory here;
  Directory there;
  Codec sender(here, verifier, {1, 8});
  Codec receiver(there, verifier, {1, 8});
  std::vector<Handle> peers;
  for (std::size_t i = 0; i < 1700; ++i) peers.push_back(here.intern(plain_peer(random)));
  JoinGrant grant;
  for (std::uint8_t row = 0; row < 6; ++row)
    grant.rows.push_back({row, {peers.begin() + 256 * row, peers.begin() + 256 * (row + 1)}});
  grant.batch_joiners.assign(peers.begin(), peers.begin() + 64);
  grant.leaf_set.assign(peers.begin(), peers.begin() + 128);
  Frames frames;
  REQUIRE(sender.encode(peers[0], peers[1], grant, frames));
  const auto decoded = receiver.decode(frames.header);
  REQUIRE(decoded);
  CHECK(describe(there, decoded->message) == describe(here, Message(grant)));

  // Descriptions as large as they can be: too large for the frame, and an error.
  grant.rows.clear();
  for (std::size_t i = 0; i < 512; ++i) {
    PeerInfo peer = plain_peer(random);
    const std::string name = "tcp://" + std::string(230, 'n') + std::to_string(i) + ":1";
    peer.host.addresses = {name + "1", name + "2", name + "3", name};
    peers[i] = here.intern(peer);
  }
  grant.rows.push_back({0, {peers.begin(), peers.begin() + 256}});
  grant.rows.push_back({1, {peers.begin() + 256, peers.begin() + 512}});
  const auto encoded = sender.encode(peers[0], peers[1], grant, frames);
  REQUIRE_FALSE(encoded);
  CHECK(encoded.error().code == ErrorCode::too_large);
}

}  // namespace
}  // namespace pastry::wire
