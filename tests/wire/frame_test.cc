// Frames: segment tables, packing, and messages built to cost their reader more than their sender.
#include <doctest/doctest.h>

#include <chrono>

#include "pastry/wire/segment.h"
#include "tests/wire/raw.h"

namespace pastry::wire {
namespace {

std::uint64_t word_at(const Bytes& frame, std::size_t index) {
  std::uint64_t word;
  std::memcpy(&word, frame.data() + 8 * index, 8);
  return word;
}
void put_word(Bytes& frame, std::size_t index, std::uint64_t word) {
  std::memcpy(frame.data() + 8 * index, &word, 8);
}

Bytes ping(Victim& victim) {
  return victim.frame([](schema::Envelope::Builder out) { out.initPing().setToken(5); });
}

TEST_CASE("frame: not one whole message") {
  Victim victim;
  const Bytes good = ping(victim);
  CHECK(victim.answer_to(good) == "");
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK(victim.answer_to(Bytes(good.begin(), good.begin() + static_cast<long>(size))) != "");
  Bytes longer = good;
  longer.resize(good.size() + 8);
  CHECK(victim.answer_to(longer) == "frame: bytes after the message");
  longer.resize(good.size() + 1);
  CHECK(victim.answer_to(longer) == "frame: bytes after the message");
  CHECK(victim.answer_to(Bytes(kHeaderBytesMax + 8)) != "");
  CHECK(victim.code == ErrorCode::too_large);
}

TEST_CASE("frame: unaligned bytes are read all the same") {
  Victim victim;
  const Bytes good = ping(victim);
  for (std::size_t shift = 1; shift < 8; ++shift) {
    Bytes space(shift);
    space.insert(space.end(), good.begin(), good.end());
    CHECK(victim.codec.decode(ByteView(space).subspan(shift)));
  }
}

TEST_CASE("frame: the segment count is looked at first") {
  Victim victim;
  Bytes many(kHeaderBytesMax);
  put_little_endian_32(many.data(), kHeaderBytesMax / 4 - 2);  // a table as long as the frame
  const auto start = std::chrono::steady_clock::now();
  CHECK(victim.answer_to(many) == "frame: more than one segment");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(10));
  put_little_endian_32(many.data(), UINT32_MAX);
  CHECK(victim.answer_to(many) == "frame: more than one segment");
  put_little_endian_32(many.data(), 0);
  CHECK(victim.answer_to(many) == "frame: empty segment");
  put_little_endian_32(many.data() + 4, UINT32_MAX);
  CHECK(victim.answer_to(many) == "frame: truncated");
}

TEST_CASE("frame: a message of several segments is refused") {
  Victim victim;
  capnp::MallocMessageBuilder message(2, capnp::AllocationStrategy::FIXED_SIZE);
  message.initRoot<schema::Envelope>().initLeave().initLeafSet(100);
  CHECK(victim.answer_to(flat(message)) == "frame: more than one segment");
}

// 128 pointers to the same description of nearly 2 KiB: 256 KiB to read out of a frame of 3 KiB.
TEST_CASE("frame: aliased pointers run into the traversal limit") {
  Victim victim;
  PeerInfo large = plain_peer(victim.random);
  const std::string name = "tcp://" + std::string(238, 'n');
  large.host.addresses = {name + "1:1", name + "2:1", name + "3:1", name + "4:1"};
  const Bytes peer = victim.encoding(large);
  REQUIRE(peer.size() > 1000);
  Bytes frame = victim.frame(
      [&](schema::Envelope::Builder out) { out.initLeave().initLeafSet(128).set(0, data(peer)); });
  // The list's 128 pointers stand just before the description.
  const std::size_t content = frame.size() / 8 - peer.size() / 8;
  const std::size_t first = content - 128;
  const std::uint64_t pointer = word_at(frame, first);
  REQUIRE((pointer & 3) == 1);
  for (std::size_t i = 1; i < 128; ++i) put_word(frame, first + i, pointer - (i << 2));
  const std::string answer = victim.answer_to(frame);
  CAPTURE(answer);
  CHECK(answer.find("limit") != std::string::npos);
}

// A row whose list of entries is the list of rows itself, and so on: the depth is the schema's.
TEST_CASE("frame: pointers in a circle end") {
  Victim victim;
  Bytes frame = victim.frame(
      [](schema::Envelope::Builder out) { out.initJoinGrant().initRows(1)[0].initEntries(1); });
  for (std::size_t at = 2; at < frame.size() / 8; ++at) {
    for (std::int64_t offset = -12; offset <= 4; ++offset) {
      for (const std::uint64_t kind : {0x0001000000000000ULL, 0x0000000e00000001ULL,
                                       0xfffffff700000001ULL, 0xfffffff000000001ULL}) {
        Bytes changed = frame;
        put_word(changed, at, kind | (static_cast<std::uint64_t>(offset) << 2 & 0xfffffffcULL));
        static_cast<void>(victim.answer_to(changed));
      }
    }
  }
  CHECK(victim.answer_to(frame).find("no peer") != std::string::npos);
}

// Lists of empty structures have no size: 2^29 of them fit into 16 bytes.
TEST_CASE("frame: lists of nothing are bounded") {
  Victim victim;
  Bytes frame =
      victim.frame([](schema::Envelope::Builder out) { out.initJoinGrant().initRows(1); });
  std::size_t changed = 0;
  for (std::size_t at = 12; at + 1 < frame.size() / 8; ++at) {
    const std::uint64_t pointer = word_at(frame, at);
    if ((pointer & 3) != 1 || (pointer >> 32 & 7) != 7) continue;
    put_word(frame, at, (pointer & 0xffffffffULL) | 7ULL << 32);                // no words …
    put_word(frame, at + 1 + (pointer >> 2 & 0x3fffffff), 0x1fffffffULL << 2);  // … many elements
    ++changed;
  }
  REQUIRE(changed == 1);
  const auto start = std::chrono::steady_clock::now();
  const std::string answer = victim.answer_to(frame);
  CAPTURE(answer);
  CHECK(answer != "");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(10));
}

TEST_CASE("pack: several messages in one frame") {
  Victim victim;
  Pack pack;
  CHECK(pack.empty());
  Frames frames;
  for (std::uint32_t i = 0; i < kPackMessagesMax; ++i) {
    REQUIRE(victim.codec.encode(victim.from, victim.to, Pong{i, true}, frames));
    REQUIRE(pack.add(frames.header));
  }
  CHECK_FALSE(pack.add(frames.header));
  CHECK(pack.count() == kPackMessagesMax);
  CHECK_FALSE(is_single(pack.frame()));
  CHECK(victim.answer_to(Bytes(pack.frame().begin(), pack.frame().end())) != "");

  const Bytes frame = pack.take();
  CHECK(pack.empty());
  ByteView rest = frame;
  std::uint32_t count = 0;
  while (!rest.empty()) {
    const auto message = next_message(rest);
    REQUIRE(message);
    CHECK(is_single(*message));
    const auto decoded = victim.codec.decode(*message);
    REQUIRE(decoded);
    CHECK(std::get<Pong>(decoded->message).token == count++);
  }
  CHECK(count == kPackMessagesMax);
}

TEST_CASE("pack: any message fits into an empty one, a full one says no") {
  Pack pack;
  CHECK(pack.add(Bytes(kPackBytes + 8)));
  CHECK_FALSE(pack.add(Bytes(16)));
  pack.clear();
  CHECK(pack.add(Bytes(16)));
}

TEST_CASE("pack: damaged frames") {
  ByteView rest;
  CHECK_FALSE(next_message(rest));
  const Bytes large(kHeaderBytesMax + 8);
  rest = large;
  CHECK_FALSE(next_message(rest));
  Random random(3);
  for (int i = 0; i < 10'000; ++i) {
    Bytes bytes = random_bytes(random, 64);
    if (bytes.size() >= 8 && i % 2 == 0) {
      put_little_endian_32(bytes.data(), 0);
      put_little_endian_32(bytes.data() + 4, static_cast<std::uint32_t>(random.below(5)));
    }
    rest = bytes;
    while (!rest.empty()) {
      const auto message = next_message(rest);
      if (!message) break;
      CHECK(message->size() >= 16);
    }
  }
}

}  // namespace
}  // namespace pastry::wire
