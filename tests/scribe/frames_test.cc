// The stream frames: what is written is read back, and nothing out of bounds is accepted.
#include "scribe/frames.h"

#include <doctest/doctest.h>

#include <string>

#include "pastry/core/random.h"

using pastry::Bytes;
using pastry::Payload;
using namespace scribe;

namespace {

const Key kGroup{0x1234, 0x5678};
const NodeId kPublisher{0xabcd, 0xef01};

Payload publish_frame(const std::vector<Payload>& messages, std::string_view name = "") {
  return encode_publish(Publish{kGroup, 77, 5, 3, name, {}}, messages);
}

std::vector<std::string> texts(const Segment& segment) {
  std::vector<std::string> result;
  for_each_body(segment.frame.view(), segment.bodies,
                [&](std::size_t, std::size_t at, std::size_t size) {
                  result.emplace_back(segment.frame.part(at, size).text());
                });
  return result;
}

// Whether a receiver would take this frame for what its kind says.
bool readable(const Payload& frame) {
  const auto kind = frame_kind(frame.view());
  if (kind == FrameKind::segment) return decode_segment(frame).has_value();
  if (kind == FrameKind::publish) return decode_publish(frame.view()).has_value();
  if (kind == FrameKind::acks) return decode_acks(frame.view()).has_value();
  if (kind == FrameKind::beats) return decode_beats(frame.view()).has_value();
  if (kind == FrameKind::publish_ack) return decode_publish_ack(frame.view()).has_value();
  return false;
}

void check_every_cut(const Payload& frame) {
  CHECK(readable(frame));
  for (std::size_t size = 0; size < frame.size(); ++size)
    CHECK_FALSE(readable(frame.part(0, size)));
}

}  // namespace

TEST_CASE("a publish frame becomes a segment, whole or without what is known already") {
  const std::vector<Payload> messages = {Payload::copy_of("one"), Payload(),
                                         Payload::copy_of("three")};
  const Payload frame = publish_frame(messages, "weather");
  const auto publish = decode_publish(frame.view());
  REQUIRE(publish);
  CHECK(publish->group == kGroup);
  CHECK(publish->name == "weather");
  CHECK(publish->first_sequence == 5);
  CHECK(publish->base == 3);

  for (std::size_t skip = 0; skip < 3; ++skip) {
    const Segment made = make_segment(*publish, frame.view(), skip, kPublisher, {2, 10}, {1, 9});
    const auto read = decode_segment(made.frame);
    REQUIRE(read);
    CHECK(read->group == kGroup);
    CHECK(read->publisher == kPublisher);
    CHECK(read->session == 77);
    CHECK(read->first_sequence == 5 + skip);
    CHECK(read->last_sequence() == 7);
    CHECK(read->first == Position{2, 10});
    CHECK(read->last() == Position{2, 12 - skip});
    CHECK(read->previous == Position{1, 9});
    const std::vector<std::string> expected = {"one", "", "three"};
    CHECK(texts(*read) == std::vector<std::string>(expected.begin() + skip, expected.end()));
  }
}

TEST_CASE("acknowledgements, heartbeats and publish acknowledgements survive the way") {
  const Ack ack{kGroup, {4, 9}, {5, 1}, 100, 2000, 0xfeed, true, false};
  const auto acks = decode_acks(encode_acks(std::vector<Ack>{ack, Ack{}}).view());
  REQUIRE(acks);
  REQUIRE(acks->size() == 2);
  CHECK(acks->front().received == ack.received);
  CHECK(acks->front().highest == ack.highest);
  CHECK(acks->front().window_messages == 100);
  CHECK(acks->front().window_bytes == 2000);
  CHECK(acks->front().fingerprint == 0xfeed);
  CHECK(acks->front().resend);
  CHECK_FALSE(acks->front().has_children);

  const Beat beat{kGroup, {4, 9}, 7, true, false};
  const auto beats = decode_beats(encode_beats({&beat, 1}).view());
  REQUIRE(beats);
  CHECK(beats->front().position == beat.position);
  CHECK(beats->front().attached);
  CHECK_FALSE(beats->front().skip);

  const auto report = decode_publish_ack(encode_publish_ack({kGroup, 3, 9, 8, false, true}).view());
  REQUIRE(report);
  CHECK(report->received == 9);
  CHECK(report->acknowledged == 8);
  CHECK(report->not_root);
  CHECK_FALSE(decode_publish_ack(encode_publish_ack({kGroup, 3, 8, 9, false, false}).view()));
}

TEST_CASE("truncated frames are refused") {
  const std::vector<Payload> messages = {Payload::copy_of("one"), Payload::copy_of("two")};
  const Payload frame = publish_frame(messages, "name");
  check_every_cut(frame);
  const Segment segment =
      make_segment(*decode_publish(frame.view()), frame.view(), 0, kPublisher, {1, 1}, {0, 0});
  check_every_cut(segment.frame);
  const Ack ack{};
  check_every_cut(encode_acks({&ack, 1}));
  const Beat beat{};
  check_every_cut(encode_beats({&beat, 1}));
  check_every_cut(encode_publish_ack({}));
}

TEST_CASE("random and damaged frames never lead out of bounds") {
  pastry::Random random(4711);
  const std::vector<Payload> messages = {Payload::copy_of("hello"), Payload::copy_of("world")};
  const Payload good = publish_frame(messages, "n");
  const Payload segment =
      make_segment(*decode_publish(good.view()), good.view(), 0, kPublisher, {1, 1}, {0, 0}).frame;
  for (int round = 0; round < 20000; ++round) {
    const Payload& base = round % 2 == 0 ? good : segment;
    Bytes bytes(base.view().begin(), base.view().end());
    for (int flips = 0; flips < 3; ++flips) {
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.next());
    }
    const Payload damaged(std::move(bytes));
    if (const auto read = decode_segment(damaged)) texts(*read);
    if (const auto read = decode_publish(damaged.view())) {
      if (read->bodies.count > 0) make_segment(*read, damaged.view(), 0, kPublisher, {1, 1}, {});
    }
    static_cast<void>(frame_kind(damaged.view()));
  }
}

TEST_CASE("frames of another version are nobody's") {
  const Ack ack{};
  const Payload good = encode_acks({&ack, 1});
  CHECK(frame_kind(good.view()) == FrameKind::acks);
  for (const int version : {0, 1, kFrameVersion + 1, 255}) {
    Bytes bytes(good.view().begin(), good.view().end());
    bytes[1] = static_cast<std::uint8_t>(version);
    CHECK_FALSE(frame_kind(bytes).has_value());
  }
}

TEST_CASE("extreme numbers are refused") {
  const std::vector<Payload> messages = {Payload::copy_of("x")};
  const Payload frame = encode_publish(Publish{kGroup, 1, UINT64_MAX, 3, "", {}}, messages);
  CHECK_FALSE(decode_publish(frame.view()));
  CHECK_FALSE(decode_publish(encode_publish(Publish{kGroup, 1, 3, 3, "", {}}, messages).view()));
}
