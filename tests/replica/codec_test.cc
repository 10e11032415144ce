// Frames and messages of the replica layer: what is sent arrives, and nothing else gets through.
#include <doctest/doctest.h>

#include <limits>

#include "pastry/core/random.h"
#include "pastry/replica/capnp_frame.h"
#include "pastry/replica/messages.h"
#include "pastry/replica/replica.h"

namespace pastry::replica {

namespace {

StoreName some_name(std::uint8_t first) {
  StoreName name;
  for (std::size_t i = 0; i < name.bytes.size(); ++i) {
    name.bytes[i] = static_cast<std::uint8_t>(first + i * 7);
  }
  return name;
}

EntryInfo some_entry() {
  EntryInfo entry;
  entry.name = some_name(1);
  entry.version = 7;
  entry.size = 5;
  entry.digest.emplace().fill(9);
  entry.meta.kind = EntryKind::record;
  entry.meta.replicas = 3;
  entry.meta.parent = some_name(50);
  entry.meta.writer = {11, 12};
  entry.meta.created = 1700000000;
  entry.meta.user = {1, 2, 3};
  return entry;
}

template <typename Message>
Message round_trip(const Message& message, ByteView body = {}) {
  const auto bytes = encode(message, body);
  REQUIRE(bytes);
  const auto frame = decode(*bytes);
  REQUIRE(frame);
  CHECK(frame->body == Payload::copy_of(body));
  REQUIRE(std::holds_alternative<Message>(frame->message));
  return std::get<Message>(frame->message);
}

std::vector<Payload> samples() {
  const Bytes body = {1, 2, 3, 4, 5};
  EntryInfo tombstone = some_entry();
  tombstone.digest.reset();
  tombstone.size = 0;
  tombstone.meta.tombstone = true;
  std::vector<Payload> all;
  for (const ReplicaMessage& message : std::vector<ReplicaMessage>{
           Locate{1, some_name(1), 3, true}, Located{1, Answer::ok, some_entry(), true},
           StoreMessage{some_entry(), true}, StoreMessage{tombstone, false},
           Stored{Answer::busy, 3}, Get{some_name(2)}, Got{Answer::removed, tombstone},
           Stat{some_name(3), true}, Statted{Answer::missing, {}},
           Summary{some_name(1), some_name(2), 3, 4}, Summarised{true}, Summarised{false, true},
           Offer{{offered(some_entry())}}, Offer{{offered(some_entry())}, true},
           OfferAnswer{{0, 1, 2, 3}}, RecordMessage{1, some_name(1), true, 4, 3, 2, {5, 6}},
           Recorded{1, Answer::conflict, 5, 2, 3}}) {
    all.push_back(*encode(message, body));
  }
  return all;
}

}  // namespace

TEST_CASE("every message arrives as it was sent") {
  const Bytes body = {1, 2, 3, 4, 5};
  CHECK(round_trip(StoreMessage{some_entry(), true}, body).entry == some_entry());
  CHECK(round_trip(Located{5, Answer::ok, some_entry(), true}).entry == some_entry());
  CHECK(round_trip(Got{Answer::corrupt, {}}).status == Answer::corrupt);
  CHECK(round_trip(Get{some_name(4), true}).check);
  CHECK_FALSE(round_trip(Get{some_name(4), false}).check);
  const Offer offer{{offered(some_entry())}};
  CHECK(round_trip(offer).entries == offer.entries);
  const auto record = round_trip(RecordMessage{1, some_name(1), true, 4, 3, 2, {5, 6}}, body);
  CHECK(record.expected_version == 4);
  CHECK(record.writer == WriterId{5, 6});
  CHECK(record.at_least == 2);
}

TEST_CASE("a full offer and a value of the largest size fit") {
  Offer offer;
  for (std::size_t i = 0; i < kOfferMax; ++i) {
    Offered line = offered(some_entry());
    line.name.bytes[0] = static_cast<std::uint8_t>(i >> 8);
    line.name.bytes[1] = static_cast<std::uint8_t>(i);
    offer.entries.push_back(line);
  }
  const auto frame = encode(offer);
  REQUIRE(frame);
  CHECK(frame->size() <= Config{}.payload_max);
  CHECK(round_trip(offer).entries.size() == kOfferMax);

  EntryInfo entry = some_entry();
  entry.size = kValueMax;
  entry.meta.user.assign(kUserMetaMax, 1);
  const Bytes value(kValueMax, 7);
  const auto put = encode(StoreMessage{entry, true}, value);
  REQUIRE(put);
  CHECK(put->size() <= Config{}.bulk_payload_max);
  CHECK(decode(*put).has_value());
  CHECK(!decode(*encode(StoreMessage{entry, true}, Bytes(kValueMax + 1))));
}

TEST_CASE("meta data survive the store, and other bytes are refused") {
  const EntryMeta meta = some_entry().meta;
  const auto bytes = encode_meta(meta);
  REQUIRE(bytes);
  CHECK(bytes->size() <= kStoreMetaMax);
  CHECK(*decode_meta(*bytes) == meta);
  CHECK(!decode_meta({}));
  CHECK(!decode_meta(Bytes(64, 0xff)));
}

TEST_CASE("entries out of range are refused") {
  EntryInfo entry = some_entry();
  entry.version = 0;
  CHECK(!decode(*encode(StoreMessage{entry, true})));
  entry = some_entry();
  entry.size = kValueMax + 1;
  CHECK(!decode(*encode(StoreMessage{entry, true})));
  entry = some_entry();
  entry.meta.replicas = 0;
  CHECK(!decode(*encode(StoreMessage{entry, true})));
  entry = some_entry();
  entry.digest.reset();
  CHECK(!decode(*encode(StoreMessage{entry, true})));
  for (const std::int64_t created : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                     kCreatedMax + 1, std::numeric_limits<std::int64_t>::max()}) {
    entry = some_entry();
    entry.meta.created = created;
    const auto refused = decode(*encode(StoreMessage{entry, true}));
    REQUIRE(!refused);
    CHECK(refused.error().message.find("created") != std::string::npos);
    CHECK(!decode_meta(*encode_meta(entry.meta)));
  }
  // Lines must ascend.
  CHECK(!decode(*encode(Offer{{offered(some_entry()), offered(some_entry())}})));
}

TEST_CASE("truncated and damaged frames never crash") {
  for (const Payload& sample : samples()) {
    CHECK(decode(sample).has_value());
    for (std::size_t size = 0; size < sample.size(); ++size) {
      (void)decode(Payload::copy_of(sample.view().subspan(0, size)));
    }
    Random random(sample.size());
    for (int i = 0; i < 2000; ++i) {
      Bytes damaged(sample.view().begin(), sample.view().end());
      for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
        damaged[random.below(damaged.size())] = static_cast<std::uint8_t>(random.next());
      }
      (void)decode(Payload(std::move(damaged)));
    }
  }
}

TEST_CASE("of two writes of one version the same one wins everywhere") {
  EntryInfo a = some_entry();
  EntryInfo b = some_entry();
  CHECK(same_write(a, b));
  CHECK(fingerprint(a) == fingerprint(b));
  b.digest->fill(10);
  if (supersedes(a, b)) std::swap(a, b);  // which one wins is for the fingerprints to say
  CHECK(supersedes(b, a));
  CHECK(!supersedes(a, b));
  CHECK(fingerprint(a) != fingerprint(b));
  // The line of a comparison shows the same winner.
  CHECK(supersedes(b, offered(a)));
  CHECK(!supersedes(a, offered(b)));
  CHECK(!supersedes(a, offered(a)));
  a.meta.tombstone = true;
  CHECK(supersedes(a, b));
  CHECK(supersedes(a, offered(b)));
  b.version = 8;
  CHECK(supersedes(b, a));
}

TEST_CASE("names have successors up to the last") {
  CHECK(successor(first_name())->bytes[31] == 1);
  CHECK(!successor(last_name()));
  StoreName name;
  name.bytes[31] = 0xff;
  CHECK(successor(name)->bytes[30] == 1);
  CHECK(successor(name)->bytes[31] == 0);
}

}  // namespace pastry::replica
