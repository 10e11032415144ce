// The stream frames of SCRIBE: fixed layouts on the path of every message (see scribe.capnp).
//
// Decoding checks every bound; a decoded frame can be used without further checks. A segment is
// encoded once, by the root, and its bytes go down the whole tree.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/id.h"
#include "pastry/core/payload.h"
#include "scribe/position.h"

namespace scribe {

using pastry::ByteView;
using pastry::Key;
using pastry::NodeId;
using pastry::Payload;
using pastry::Result;

inline constexpr std::uint8_t kFrameVersion = 2;
// Messages of one frame, and entries of an acknowledgement or heartbeat frame.
inline constexpr std::size_t kBodiesMax = 512;
inline constexpr std::size_t kEntriesMax = 1000;

enum class FrameKind : std::uint8_t {
  segment = 1,
  acks = 2,
  publish = 3,
  publish_ack = 4,
  beats = 5,
  control = 16,
};

// The kind of a payload, if its version is ours.
std::optional<FrameKind> frame_kind(ByteView payload);

// Several messages in one piece: their sizes, then their bytes.
struct Bodies {
  std::size_t count = 0;
  std::size_t offset = 0;  // of the sizes within the frame
};

// Calls visit(index, offset within the frame, size) for every message; the frame was decoded.
template <typename Visit>
void for_each_body(ByteView frame, const Bodies& bodies, Visit&& visit);

// Consecutive messages of one publisher with consecutive positions. `frame` is what travels.
struct Segment {
  Key group;
  Position first;
  Position previous;
  NodeId publisher;
  std::uint64_t session = 0;
  std::uint64_t first_sequence = 0;
  Bodies bodies;
  Payload frame;

  std::size_t count() const { return bodies.count; }
  Position last() const { return {first.epoch, first.offset + bodies.count - 1}; }
  std::uint64_t last_sequence() const { return first_sequence + bodies.count - 1; }
};

inline constexpr std::size_t kSegmentHeader = 88;
inline constexpr std::size_t kPublishHeader = 48;

struct Publish {
  Key group;
  std::uint64_t session = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t base = 0;
  std::string_view name;  // within the frame
  Bodies bodies;
};

// Encodes a segment from messages `skip` … of a publish frame.
Segment make_segment(const Publish& publish, ByteView publish_frame, std::size_t skip,
                     const NodeId& publisher, const Position& first, const Position& previous);
Payload encode_publish(const Publish& publish, std::span<const Payload> messages);

Result<Segment> decode_segment(const Payload& payload);
Result<Publish> decode_publish(ByteView payload);

struct Ack {
  Key group;
  Position received;
  Position highest;  // that the sender or anybody below it has
  std::uint32_t window_messages = 0;
  std::uint32_t window_bytes = 0;
  std::uint32_t fingerprint = 0;
  bool resend = false;
  bool has_children = false;
};

struct Beat {
  Key group;
  Position position;
  std::uint32_t fingerprint = 0;
  bool attached = false;
  bool skip = false;
};

struct PublishAck {
  Key group;
  std::uint64_t session = 0;
  std::uint64_t received = 0;
  std::uint64_t acknowledged = 0;
  bool resend = false;
  bool not_root = false;
};

// At most kEntriesMax entries.
Payload encode_acks(std::span<const Ack> acks);
Payload encode_beats(std::span<const Beat> beats);
Payload encode_publish_ack(const PublishAck& ack);
Result<std::vector<Ack>> decode_acks(ByteView payload);
Result<std::vector<Beat>> decode_beats(ByteView payload);
Result<PublishAck> decode_publish_ack(ByteView payload);

// Tells two paths apart.
std::uint32_t path_fingerprint(std::span<const NodeId> path);

template <typename Visit>
void for_each_body(ByteView frame, const Bodies& bodies, Visit&& visit) {
  const std::uint8_t* sizes = frame.data() + bodies.offset;
  std::size_t at = bodies.offset + 4 * bodies.count;
  for (std::size_t i = 0; i < bodies.count; ++i, sizes += 4) {
    const std::size_t size = sizes[0] | (std::size_t{sizes[1]} << 8) |
                             (std::size_t{sizes[2]} << 16) | (std::size_t{sizes[3]} << 24);
    visit(i, at, size);
    at += size;
  }
}

}  // namespace scribe
