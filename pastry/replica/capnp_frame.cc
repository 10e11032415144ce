#include "pastry/replica/capnp_frame.h"

#include <cstdint>

namespace pastry::replica {

namespace {

void put_u32(std::uint8_t* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint32_t take_u32(const std::uint8_t* from) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= std::uint32_t{from[i]} << (8 * i);
  return value;
}

}  // namespace

Result<Bytes> frame_bytes(capnp::MessageBuilder& header, ByteView body) {
  const auto segments = header.getSegmentsForOutput();
  if (segments.size() != 1 || segments[0].size() > kHeaderWordsMax) {
    return fail(ErrorCode::too_large, "the header of a message exceeds its limit");
  }
  const auto words = segments[0].asBytes();
  // A body may be a large value: its place is not filled with zeros first.
  Bytes frame(kFramePrefix);
  put_u32(frame.data(), static_cast<std::uint32_t>(segments[0].size()));
  frame.reserve(kFramePrefix + words.size() + body.size());
  frame.insert(frame.end(), words.begin(), words.end());
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

Result<FrameParts> split_frame(const Payload& frame) {
  if (frame.size() < kFramePrefix) return fail(ErrorCode::invalid, "frame too short");
  const std::size_t words = take_u32(frame.view().data());
  if (words == 0 || words > kHeaderWordsMax || take_u32(frame.view().data() + 4) != 0) {
    return fail(ErrorCode::invalid, "frame header out of range");
  }
  const std::size_t bytes = words * sizeof(capnp::word);
  if (frame.size() - kFramePrefix < bytes) return fail(ErrorCode::invalid, "frame truncated");
  FrameParts parts;
  parts.header = std::vector<capnp::word>(words);  // resize() would need copies of words
  std::memcpy(parts.header.data(), frame.view().data() + kFramePrefix, bytes);
  const std::size_t start = kFramePrefix + bytes;
  if (frame.size() > start) parts.body = frame.part(start, frame.size() - start);
  return parts;
}

}  // namespace pastry::replica
