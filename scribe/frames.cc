#include "scribe/frames.h"

#include <algorithm>
#include <cstring>

#include "scribe/bytes.h"

namespace scribe {
namespace {

using pastry::Bytes;
using pastry::ErrorCode;
using pastry::fail;

constexpr std::size_t kListHeader = 8;
constexpr std::size_t kAckEntry = 64;
constexpr std::size_t kBeatEntry = 40;
constexpr std::size_t kPublishAckSize = 48;

FieldWriter start(std::uint8_t* at, FrameKind kind, std::size_t count) {
  FieldWriter writer(at);
  writer.put(static_cast<std::uint8_t>(kind)).put(kFrameVersion);
  return writer.put(static_cast<std::uint16_t>(count));
}

auto malformed(const char* what) {
  return fail(ErrorCode::invalid, std::string("malformed ") + what + " frame");
}

// Whether `count` messages fill the frame from `offset` exactly.
bool bodies_fit(ByteView frame, const Bodies& bodies) {
  if (frame.size() < bodies.offset || (frame.size() - bodies.offset) / 4 < bodies.count) {
    return false;
  }
  std::size_t left = frame.size() - bodies.offset - 4 * bodies.count;
  bool fits = true;
  for_each_body(frame, bodies, [&](std::size_t, std::size_t, std::size_t size) {
    if (!fits || size > left) {
      fits = false;
    } else {
      left -= size;
    }
  });
  return fits && left == 0;
}

// A list frame's entries, or nothing if count and size do not match.
std::optional<std::size_t> list_count(ByteView payload, std::size_t entry) {
  if (payload.size() < kListHeader) return std::nullopt;
  const std::size_t count = payload[2] | (std::size_t{payload[3]} << 8);
  if (count > kEntriesMax || payload.size() != kListHeader + count * entry) return std::nullopt;
  return count;
}

}  // namespace

std::optional<FrameKind> frame_kind(ByteView payload) {
  if (payload.size() < kListHeader || payload[1] != kFrameVersion) return std::nullopt;
  switch (const auto kind = static_cast<FrameKind>(payload[0])) {
    case FrameKind::segment:
    case FrameKind::acks:
    case FrameKind::publish:
    case FrameKind::publish_ack:
    case FrameKind::beats:
    case FrameKind::control:
      return kind;
  }
  return std::nullopt;
}

Segment make_segment(const Publish& publish, ByteView publish_frame, std::size_t skip,
                     const NodeId& publisher, const Position& first, const Position& previous) {
  Segment segment;
  segment.group = publish.group;
  segment.first = first;
  segment.previous = previous;
  segment.publisher = publisher;
  segment.session = publish.session;
  segment.first_sequence = publish.first_sequence + skip;
  segment.bodies = {publish.bodies.count - skip, kSegmentHeader};

  std::size_t start_of_bytes = publish_frame.size();
  for_each_body(publish_frame, publish.bodies, [&](std::size_t i, std::size_t at, std::size_t) {
    if (i == skip) start_of_bytes = at;
  });
  const std::size_t sizes = 4 * segment.bodies.count;
  const std::size_t bytes = publish_frame.size() - start_of_bytes;
  Bytes frame(kSegmentHeader + sizes + bytes);
  start(frame.data(), FrameKind::segment, segment.bodies.count)
      .put(std::uint32_t{0})
      .put(segment.group)
      .put(first.epoch)
      .put(first.offset)
      .put(previous.epoch)
      .put(previous.offset)
      .put(publisher)
      .put(segment.session)
      .put(segment.first_sequence);
  std::memcpy(frame.data() + kSegmentHeader,
              publish_frame.data() + publish.bodies.offset + 4 * skip, sizes);
  if (bytes > 0) {
    std::memcpy(frame.data() + kSegmentHeader + sizes, publish_frame.data() + start_of_bytes,
                bytes);
  }
  segment.frame = Payload(std::move(frame));
  return segment;
}

Payload encode_publish(const Publish& publish, std::span<const Payload> messages) {
  std::size_t size = kPublishHeader + publish.name.size() + 4 * messages.size();
  for (const Payload& message : messages) size += message.size();
  Bytes frame(size);
  FieldWriter writer = start(frame.data(), FrameKind::publish, messages.size())
                           .put(static_cast<std::uint16_t>(publish.name.size()))
                           .put(std::uint16_t{0})
                           .put(publish.group)
                           .put(publish.session)
                           .put(publish.first_sequence)
                           .put(publish.base);
  std::copy(publish.name.begin(), publish.name.end(), writer.at());
  writer = FieldWriter(writer.at() + publish.name.size());
  for (const Payload& message : messages) writer.put(static_cast<std::uint32_t>(message.size()));
  std::uint8_t* at = writer.at();
  for (const Payload& message : messages) {
    if (!message.empty()) std::memcpy(at, message.view().data(), message.size());
    at += message.size();
  }
  return Payload(std::move(frame));
}

Result<Segment> decode_segment(const Payload& payload) {
  const ByteView frame = payload.view();
  if (frame.size() < kSegmentHeader) return malformed("segment");
  FieldReader reader(frame.data() + 2);
  Segment segment;
  segment.bodies = {reader.take<std::uint16_t>(), kSegmentHeader};
  reader.take<std::uint32_t>();
  segment.group = reader.take_id();
  segment.first.epoch = reader.take<std::uint64_t>();
  segment.first.offset = reader.take<std::uint64_t>();
  segment.previous.epoch = reader.take<std::uint64_t>();
  segment.previous.offset = reader.take<std::uint64_t>();
  segment.publisher = reader.take_id();
  segment.session = reader.take<std::uint64_t>();
  segment.first_sequence = reader.take<std::uint64_t>();
  const bool sane = segment.bodies.count >= 1 && segment.bodies.count <= kBodiesMax &&
                    segment.first.epoch < kNumberMax && segment.first.offset < kNumberMax &&
                    segment.first_sequence < kNumberMax && segment.previous < segment.first;
  if (!sane || !bodies_fit(frame, segment.bodies)) return malformed("segment");
  segment.frame = payload;
  return segment;
}

Result<Publish> decode_publish(ByteView payload) {
  if (payload.size() < kPublishHeader) return malformed("publish");
  FieldReader reader(payload.data() + 2);
  Publish publish;
  publish.bodies.count = reader.take<std::uint16_t>();
  const std::size_t name = reader.take<std::uint16_t>();
  reader.take<std::uint16_t>();
  publish.group = reader.take_id();
  publish.session = reader.take<std::uint64_t>();
  publish.first_sequence = reader.take<std::uint64_t>();
  publish.base = reader.take<std::uint64_t>();
  if (name > 255 || payload.size() - kPublishHeader < name) return malformed("publish");
  publish.name = {reinterpret_cast<const char*>(payload.data()) + kPublishHeader, name};
  publish.bodies.offset = kPublishHeader + name;
  const bool sane = publish.bodies.count <= kBodiesMax && publish.first_sequence < kNumberMax &&
                    publish.base < publish.first_sequence;
  if (!sane || !bodies_fit(payload, publish.bodies)) return malformed("publish");
  return publish;
}

Payload encode_acks(std::span<const Ack> acks) {
  Bytes frame(kListHeader + acks.size() * kAckEntry);
  FieldWriter writer = start(frame.data(), FrameKind::acks, acks.size()).put(std::uint32_t{0});
  for (const Ack& ack : acks) {
    writer.put(ack.group)
        .put(ack.received.epoch)
        .put(ack.received.offset)
        .put(ack.highest.epoch)
        .put(ack.highest.offset)
        .put(ack.window_messages)
        .put(ack.window_bytes)
        .put(ack.fingerprint)
        .put(std::uint32_t{(ack.resend ? 1U : 0U) | (ack.has_children ? 2U : 0U)});
  }
  return Payload(std::move(frame));
}

Payload encode_beats(std::span<const Beat> beats) {
  Bytes frame(kListHeader + beats.size() * kBeatEntry);
  FieldWriter writer = start(frame.data(), FrameKind::beats, beats.size()).put(std::uint32_t{0});
  for (const Beat& beat : beats) {
    writer.put(beat.group)
        .put(beat.position.epoch)
        .put(beat.position.offset)
        .put(beat.fingerprint)
        .put(std::uint32_t{(beat.attached ? 1U : 0U) | (beat.skip ? 2U : 0U)});
  }
  return Payload(std::move(frame));
}

Payload encode_publish_ack(const PublishAck& ack) {
  Bytes frame(kPublishAckSize);
  start(frame.data(), FrameKind::publish_ack, 0)
      .put(std::uint32_t{(ack.resend ? 1U : 0U) | (ack.not_root ? 2U : 0U)})
      .put(ack.group)
      .put(ack.session)
      .put(ack.received)
      .put(ack.acknowledged);
  return Payload(std::move(frame));
}

Result<std::vector<Ack>> decode_acks(ByteView payload) {
  const auto count = list_count(payload, kAckEntry);
  if (!count) return malformed("acknowledgement");
  FieldReader reader(payload.data() + kListHeader);
  std::vector<Ack> acks(*count);
  for (Ack& ack : acks) {
    ack.group = reader.take_id();
    ack.received.epoch = reader.take<std::uint64_t>();
    ack.received.offset = reader.take<std::uint64_t>();
    ack.highest.epoch = reader.take<std::uint64_t>();
    ack.highest.offset = reader.take<std::uint64_t>();
    ack.window_messages = reader.take<std::uint32_t>();
    ack.window_bytes = reader.take<std::uint32_t>();
    ack.fingerprint = reader.take<std::uint32_t>();
    const auto flags = reader.take<std::uint32_t>();
    ack.resend = (flags & 1) != 0;
    ack.has_children = (flags & 2) != 0;
  }
  return acks;
}

Result<std::vector<Beat>> decode_beats(ByteView payload) {
  const auto count = list_count(payload, kBeatEntry);
  if (!count) return malformed("heartbeat");
  FieldReader reader(payload.data() + kListHeader);
  std::vector<Beat> beats(*count);
  for (Beat& beat : beats) {
    beat.group = reader.take_id();
    beat.position.epoch = reader.take<std::uint64_t>();
    beat.position.offset = reader.take<std::uint64_t>();
    beat.fingerprint = reader.take<std::uint32_t>();
    const auto flags = reader.take<std::uint32_t>();
    beat.attached = (flags & 1) != 0;
    beat.skip = (flags & 2) != 0;
  }
  return beats;
}

Result<PublishAck> decode_publish_ack(ByteView payload) {
  if (payload.size() != kPublishAckSize) return malformed("publish acknowledgement");
  FieldReader reader(payload.data() + 4);
  PublishAck ack;
  const auto flags = reader.take<std::uint32_t>();
  ack.resend = (flags & 1) != 0;
  ack.not_root = (flags & 2) != 0;
  ack.group = reader.take_id();
  ack.session = reader.take<std::uint64_t>();
  ack.received = reader.take<std::uint64_t>();
  ack.acknowledged = reader.take<std::uint64_t>();
  if (ack.received >= kNumberMax || ack.acknowledged > ack.received) {
    return malformed("publish acknowledgement");
  }
  return ack;
}

std::uint32_t path_fingerprint(std::span<const NodeId> path) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const NodeId& id : path) {
    hash = (hash ^ id.high()) * 0x100000001b3ULL;
    hash = (hash ^ id.low()) * 0x100000001b3ULL;
  }
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

}  // namespace scribe
