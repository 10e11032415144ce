// The control messages: what is written is read back, and nothing out of bounds is accepted.
#include "scribe/control.h"

#include <doctest/doctest.h>

#include "pastry/core/random.h"
#include "scribe/frames.h"

using pastry::Bytes;
using pastry::Payload;
using namespace scribe;

namespace {

const Key kGroup{1, 2};

template <typename Message>
Message round_trip(const Message& message) {
  const Payload frame = encode_control(message);
  CHECK(frame_kind(frame.view()) == FrameKind::control);
  const auto read = decode_control(frame.view());
  REQUIRE(read);
  REQUIRE(std::holds_alternative<Message>(*read));
  return std::get<Message>(*read);
}

std::vector<NodeId> path(std::size_t count) {
  std::vector<NodeId> ids;
  for (std::size_t i = 0; i < count; ++i) ids.emplace_back(i, 3 * i);
  return ids;
}

}  // namespace

TEST_CASE("every control message survives the way") {
  const Join join = round_trip(Join{kGroup, "a topic", 9, true, {3, 4}});
  CHECK(join.group == kGroup);
  CHECK(join.name == "a topic");
  CHECK(join.number == 9);
  CHECK(join.has_position);
  CHECK(join.position == Position{3, 4});

  const JoinAccepted accepted = round_trip(JoinAccepted{kGroup, 9, path(kPathMax), {3, 4}});
  CHECK(accepted.path == path(kPathMax));
  CHECK(accepted.start == Position{3, 4});
  CHECK(round_trip(JoinRefused{kGroup, 9, JoinRefusal::full}).reason == JoinRefusal::full);
  const JoinRefused refused = round_trip(JoinRefused{kGroup, 9, JoinRefusal::position});
  CHECK(refused.reason == JoinRefusal::position);
  CHECK(round_trip(Leave{kGroup}).group == kGroup);
  CHECK(round_trip(Detach{kGroup}).group == kGroup);
  CHECK(round_trip(PathChanged{kGroup, path(2)}).path == path(2));
  CHECK(round_trip(TreeQuery{kGroup, 99}).token == 99);
  CHECK(round_trip(TreeWalk{kGroup, 7, 1500}).timeout_ms == 1500);

  TreeAnswer answer{5, true, {}, true};
  answer.members.resize(kTreeMembersMax, TreeMember{{1, 2}, {3, 4}, 5, 6, 7, {8, 9}, 10, 11});
  const TreeAnswer read = round_trip(answer);
  CHECK(read.members.size() == kTreeMembersMax);
  CHECK(read.members.back().head == Position{8, 9});
  CHECK(read.members.back().lost == 11);
  CHECK(encode_control(answer).size() <= 64 * 1024);
}

TEST_CASE("control messages over a bound are refused") {
  CHECK_FALSE(
      decode_control(encode_control(Join{kGroup, std::string(256, 'x'), 1, false, {}}).view()));
  CHECK_FALSE(decode_control(encode_control(PathChanged{kGroup, path(kPathMax + 1)}).view()));
  TreeAnswer answer{5, true, {}, false};
  const JoinAccepted far{kGroup, 9, path(2), {kNumberMax - 1, 1}};
  CHECK_FALSE(decode_control(encode_control(far).view()));
  answer.members.resize(kTreeMembersMax + 1);
  CHECK_FALSE(decode_control(encode_control(answer).view()));
}

TEST_CASE("truncated, damaged and random control messages are refused or read within bounds") {
  pastry::Random random(99);
  const Payload good = encode_control(JoinAccepted{kGroup, 9, path(5), {3, 4}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    static_cast<void>(decode_control(good.part(0, size).view()));
  }
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes(good.view().begin(), good.view().end());
    for (int flips = 0; flips < 4; ++flips) {
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.next());
    }
    static_cast<void>(decode_control(bytes));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    static_cast<void>(decode_control(bytes));
  }
}

TEST_CASE("the root's record survives the way and is bounded") {
  const RootRecord record{"weather", {5, 6}, {7, 8}};
  const Bytes bytes = encode_root_record(record);
  const auto read = decode_root_record(bytes);
  REQUIRE(read);
  CHECK(read->topic == "weather");
  CHECK(read->creator == record.creator);
  CHECK(read->position == record.position);
  for (std::size_t size = 0; size + 1 < bytes.size(); ++size) {
    CHECK_FALSE(decode_root_record(pastry::ByteView(bytes).first(size)));
  }
  CHECK_FALSE(decode_root_record(encode_root_record({std::string(256, 'x'), {}, {}})));
  constexpr std::uint64_t kTooHigh = kNumberMax / 2;
  CHECK(decode_root_record(encode_root_record({"weather", {}, {kTooHigh - 1, kTooHigh - 1}})));
  CHECK_FALSE(decode_root_record(encode_root_record({"weather", {}, {kTooHigh, 1}})));
  CHECK_FALSE(decode_root_record(encode_root_record({"weather", {}, {UINT64_MAX, 1}})));
  CHECK_FALSE(decode_root_record(encode_root_record({"weather", {}, {1, kTooHigh}})));
}
