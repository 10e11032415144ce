// The bounds of a peer's description, and who decides whether it is taken.
#include "tests/wire/bounds.h"

namespace pastry::wire {
namespace {

TEST_CASE("peers: bounds") {
  Victim victim;
  using Peer = schema::Peer::Builder;
  const auto peer = [&](auto&& change) { return victim.answer_to_peer(victim.peer(change)); };
  const auto address = [&](auto&& change) {
    return peer([&](Peer out) {
      auto entry = out.initHost().initAddresses(1)[0];
      entry.setLow(0x7f000001);
      entry.setPort(1);
      change(entry);
    });
  };
  using Address = schema::Address::Builder;
  CHECK(peer([](Peer) {}) == "");
  CHECK(address([](Address) {}) == "");
  CHECK_REFUSED(peer([](Peer out) { out.initHost().initAddresses(5); }), "host.addresses",
                ErrorCode::too_large);
  CHECK_REFUSED(address([](Address out) { out.setPort(0); }), "address.port", ErrorCode::invalid);
  CHECK_REFUSED(address([](Address out) { out.setHigh(1); }), "address.low", ErrorCode::invalid);
  CHECK_REFUSED(address([](Address out) { out.setKind(static_cast<schema::Address::Kind>(3)); }),
                "address.kind", ErrorCode::invalid);
  const auto name = [&](const std::string& text) {
    return address([&](Address out) {
      out.setKind(schema::Address::Kind::NAME);
      out.setName(text.c_str());
    });
  };
  CHECK(name(std::string(240, 'a')) == "");
  for (const std::string& text : {std::string(241, 'a'), std::string(), std::string("a b"),
                                  std::string("a/b"), std::string("127.0.0.1"), std::string("[")})
    CHECK_REFUSED(name(text), "address.name", ErrorCode::invalid);
  const auto domain = [&](const std::string& text) {
    return peer([&](Peer out) { out.initHost().setDomain(text.c_str()); });
  };
  CHECK(domain(std::string(64, '~')) == "");
  CHECK_REFUSED(domain(std::string(65, 'a')), "host.domain", ErrorCode::invalid);
  CHECK_REFUSED(domain("a\n"), "host.domain", ErrorCode::invalid);
  CHECK_REFUSED(domain("\xc3\xa4"), "host.domain", ErrorCode::invalid);
  const auto location = [&](std::int32_t latitude, std::int32_t longitude) {
    return peer([&](Peer out) {
      auto host = out.initHost();
      host.setLatitude(latitude);
      host.setLongitude(longitude);
    });
  };
  CHECK(location(900'000'000, -1'800'000'000) == "");
  CHECK(location(INT32_MIN, INT32_MAX) == "");  // none
  for (const auto& [latitude, longitude] :
       {std::pair{900'000'001, 0}, {-900'000'001, 0}, {0, 1'800'000'001}, {0, INT32_MIN}})
    CHECK_REFUSED(location(latitude, longitude), "host.latitude", ErrorCode::invalid);
  CHECK(peer([](Peer out) { out.setSignature(data(Bytes(128))); }) == "");
  CHECK_REFUSED(peer([](Peer out) { out.setSignature(data(Bytes(129))); }), "peer.signature",
                ErrorCode::too_large);
  CHECK_REFUSED(victim.answer_to_peer(Bytes(2056)), "peer", ErrorCode::too_large);
  CHECK_REFUSED(victim.answer_to_peer(Bytes(63)), "peer", ErrorCode::invalid);
  CHECK_REFUSED(victim.answer_to_peer(Bytes(8)), "peer", ErrorCode::invalid);
  CHECK_REFUSED(victim.answer_to_peer(Bytes()), "no peer", ErrorCode::invalid);
  CHECK_REFUSED(victim.answer_to_peer(Bytes(64, 0xff)), "message", ErrorCode::invalid);
}

TEST_CASE("peers: the verifier and the directory have the last word") {
  Victim victim(4, 3);
  CHECK(victim.answer_to_peer(victim.new_peer()) == "");
  CHECK_REFUSED(victim.answer_to_peer(victim.new_peer()), "directory is full", ErrorCode::full);

  const InsecureLoopbackVerifier loopback;
  Directory directory;
  Codec codec(directory, loopback, {Victim::kTag});
  PeerInfo remote = plain_peer(victim.random);
  remote.host.addresses = {"tcp://192.0.2.1:5000"};
  Directory theirs;
  Codec sender(theirs, victim.verifier, {Victim::kTag});
  const Handle handle = theirs.intern(remote);
  Frames frames;
  REQUIRE(sender.encode(handle, handle, Ping{}, frames));
  const auto decoded = codec.decode(frames.header);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code == ErrorCode::refused);
  CHECK(has(decoded.error().message, "sender"));
  CHECK(directory.size() == 0);
}

}  // namespace
}  // namespace pastry::wire
