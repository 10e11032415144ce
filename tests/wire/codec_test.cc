// Round trips of every kind of message, between two processes with directories of their own.
#include "pastry/wire/codec.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/wire/fixture.h"

namespace pastry::wire {
namespace {

constexpr std::uint32_t kTag = 0x1234;

struct Pair {
  explicit Pair(std::uint64_t seed, int peers = 40) : random(seed) {
    for (int i = 0; i < peers; ++i) handles.push_back(here.intern(random_peer(random)));
  }

  Random random;
  Directory here;
  Directory there;
  OpenVerifier verifier;
  Codec sender{here, verifier, {kTag, 4, 64}};
  Codec receiver{there, verifier, {kTag, 4, 64}};
  std::vector<Handle> handles;
};

TEST_CASE("every kind of message survives the way to another process") {
  Pair pair(1);
  MessageSource source(pair.random, pair.handles);
  Frames frames;
  for (int round = 0; round < 100; ++round) {
    for (std::size_t kind = 0; kind < kind_count(); ++kind) {
      const Message message = source.message(kind);
      REQUIRE(message.index() == kind);
      const Handle from = source.peer();
      const Handle to = source.peer();
      pair.there.intern(pair.here.info(from));  // as its Hello would have
      const auto encoded = pair.sender.encode(from, to, message, frames);
      REQUIRE_MESSAGE(encoded.has_value(), encoded.error().message);
      const auto decoded = pair.receiver.decode(frames.header, frames.payload);
      REQUIRE_MESSAGE(decoded.has_value(), decoded.error().message);
      CHECK(decoded->destination == pair.here.id(to));
      CHECK(decoded->destination_incarnation == pair.here.incarnation(to));
      CHECK(pair.there.info(decoded->from) == pair.here.info(from));
      CHECK(describe(pair.there, decoded->message) == describe(pair.here, message));
    }
  }
}

TEST_CASE("the short cuts write what the general path writes") {
  Random random(9);
  Directory directory;
  OpenVerifier verifier;
  std::vector<Handle> peers;
  for (int i = 0; i < 20; ++i) peers.push_back(directory.intern(random_peer(random)));
  MessageSource source(random, peers);
  Codec hot(directory, verifier, {kTag});
  Codec general(directory, verifier, {kTag, 4, 64, true});
  Frames a;
  Frames b;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t kinds[] = {0, 1, kind_count() - 1};
    const Message message = source.message(kinds[i % 3]);
    const Handle from = source.peer();
    const Handle to = source.peer();
    REQUIRE(hot.encode(from, to, message, a));
    REQUIRE(general.encode(from, to, message, b));
    REQUIRE(a.header == b.header);
    REQUIRE(a.payload == b.payload);
  }
}

TEST_CASE("every kind has a name of its own") {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kind_count(); ++i) names.push_back(kind_name(i));
  CHECK(kind_of(Message(Routed{})) == "routed");
  CHECK(kind_of(Message(LeafProbe{})) == "leaf_probe");
  CHECK(kind_of(Message(Direct{})) == "direct");
  CHECK(kind_name(kind_count()) == "unknown");
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("what the codec remembers of peers goes when the directory forgets them") {
  Pair pair(4, 2);
  Frames frames;
  REQUIRE(pair.sender.encode(pair.handles[0], pair.handles[1], Ping{1}, frames));
  const auto first = pair.receiver.decode(frames.header);
  REQUIRE(first);

  pair.there.begin_collection();
  CHECK(pair.there.end_collection() == 1);
  const Handle other = pair.there.intern(random_peer(pair.random));
  CHECK(other == first->from);  // the same slot again
  const auto second = pair.receiver.decode(frames.header);
  REQUIRE(second);
  CHECK(second->from != other);
  CHECK(pair.there.info(second->from) == pair.here.info(pair.handles[0]));
  CHECK(pair.verifier.calls == 2);

  pair.here.begin_collection();
  CHECK(pair.here.end_collection() == 2);
  const PeerInfo a = random_peer(pair.random);
  const PeerInfo b = random_peer(pair.random);
  const Handle from = pair.here.intern(a);
  REQUIRE(pair.sender.encode(from, pair.here.intern(b), Ping{1}, frames));
  const auto third = pair.receiver.decode(frames.header);
  REQUIRE(third);
  CHECK(pair.there.info(third->from) == a);
  CHECK(third->destination == b.id);
}

TEST_CASE("a location survives the way; who has none is described without it") {
  Pair pair(6, 0);
  PeerInfo info = plain_peer(pair.random);
  Frames frames;
  std::size_t sizes[2] = {};
  for (const bool located : {false, true}) {
    if (located) info.host.location = proximity::Location({-33.868, 151.209});
    const Handle peer = pair.here.intern(info);
    REQUIRE(pair.sender.encode(peer, peer, Ping{1}, frames));
    sizes[located ? 1 : 0] = frames.header.size();
    const auto decoded = pair.receiver.decode(frames.header);
    REQUIRE(decoded);
    CHECK(pair.there.info(decoded->from) == info);
  }
  CHECK(sizes[1] == sizes[0] + 8);
}

TEST_CASE("two descriptions of one incarnation are two peers") {
  Pair pair(5, 2);
  PeerInfo info = random_peer(pair.random);
  const Handle one = pair.here.intern(info);
  info.host.domain = "elsewhere";
  const Handle two = pair.here.intern(info);
  Frames frames;
  for (int i = 0; i < 4; ++i) {
    const Handle sender = i % 2 == 0 ? one : two;
    REQUIRE(pair.sender.encode(sender, one, Ping{1}, frames));
    const auto decoded = pair.receiver.decode(frames.header);
    REQUIRE(decoded);
    CHECK(pair.there.info(decoded->from) == pair.here.info(sender));
  }
  CHECK(pair.there.size() == 2);
}

TEST_CASE("overlay_tag: differs by name and version") {
  CHECK(overlay_tag("a") != overlay_tag("b"));
  CHECK(overlay_tag("a", 1) != overlay_tag("a", 2));
  CHECK(overlay_tag("", 1) == 0x24ae7d4e);
}

}  // namespace
}  // namespace pastry::wire
