// Round trips of every kind of message, between two processes with directories of their own.
#include "pastry/wire/codec.h"

#include <doctest/doctest.h>

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

}  // namespace
}  // namespace pastry::wire
