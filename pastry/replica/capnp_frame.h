// Frames of a service: a small Cap'n Proto header and raw bytes behind it.
//
// A frame is 8 bytes (number of header words and zero, little-endian UInt32 each), one Cap'n Proto
// segment of that many words, then the body. The header of a received frame is copied into aligned
// memory before Cap'n Proto reads it; the body shares the frame's bytes. Nothing a peer sends gets
// past here as an exception or as an unbounded traversal.
#pragma once

#include <capnp/message.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::replica {

inline constexpr std::size_t kFramePrefix = 8;
inline constexpr std::size_t kHeaderWordsMax = 8192;  // 64 KiB
inline constexpr int kFrameNesting = 8;

// The frame of a built header and a body. Error: too_large (header over kHeaderWordsMax).
Result<Bytes> frame_bytes(capnp::MessageBuilder& header, ByteView body);

// The two parts of a frame. Error: invalid.
struct FrameParts {
  std::vector<capnp::word> header;
  Payload body;
};
Result<FrameParts> split_frame(const Payload& frame);

// Calls read(Root::Reader) on the header and returns its Result; what Cap'n Proto finds wrong in
// the bytes becomes ErrorCode::invalid.
template <typename Root, typename Read>
auto read_header(const FrameParts& parts, Read&& read) -> decltype(read(typename Root::Reader())) {
  const kj::ArrayPtr<const capnp::word> segment(parts.header.data(), parts.header.size());
  capnp::ReaderOptions limits;
  limits.traversalLimitInWords = parts.header.size() * 2 + 64;
  limits.nestingLimit = kFrameNesting;
  try {
    capnp::SegmentArrayMessageReader reader(
        kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>(&segment, 1), limits);
    return read(reader.getRoot<Root>());
  } catch (const kj::Exception& exception) {
    return fail(ErrorCode::invalid,
                std::string("malformed frame: ") + exception.getDescription().cStr());
  }
}

}  // namespace pastry::replica
