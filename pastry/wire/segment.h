// The segment table of a header frame, and how its bytes are brought before Cap'n Proto. Internal.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/payload.h"
#include "pastry/wire/limits.h"

namespace pastry::wire {

inline constexpr std::size_t kWordBytes = sizeof(capnp::word);
inline constexpr std::size_t kTableBytes = 8;

inline std::uint32_t little_endian_32(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) | static_cast<std::uint32_t>(bytes[1]) << 8 |
         static_cast<std::uint32_t>(bytes[2]) << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

inline void put_little_endian_32(std::uint8_t* bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// The first message of `bytes`, table included. The segment count is looked at before anything
// else.
inline Result<ByteView> first_message(ByteView bytes) {
  if (bytes.size() < kTableBytes + kWordBytes)
    return fail(ErrorCode::invalid, "frame: shorter than a message");
  if (little_endian_32(bytes.data()) != 0)
    return fail(ErrorCode::invalid, "frame: more than one segment");
  const std::size_t words = little_endian_32(bytes.data() + 4);
  if (words == 0) return fail(ErrorCode::invalid, "frame: empty segment");
  if (words > (bytes.size() - kTableBytes) / kWordBytes)
    return fail(ErrorCode::invalid, "frame: truncated");
  return bytes.subspan(0, kTableBytes + words * kWordBytes);
}

// Options for reading a message of `words` words.
inline capnp::ReaderOptions reader_options(std::size_t words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 2 * words + 64;
  options.nestingLimit = kNestingMax;
  return options;
}

// Keeps Cap'n Proto from walking the stack for each exception that bad input causes.
class WithoutStackTraces : public kj::ExceptionCallback {
 public:
  StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }
};

inline tl::unexpected<Error> malformed(const char* what, const kj::Exception& exception) {
  return fail(ErrorCode::invalid, std::string(what) + ": " + exception.getDescription().cStr());
}

// Memory that Cap'n Proto may read or build in: aligned, and kept from message to message.
class WordBuffer {
 public:
  // At least `count` words; contents are lost when it grows, which zeroes them.
  kj::ArrayPtr<capnp::word> words(std::size_t count) {
    if (count > words_.size()) words_.assign(count, 0);
    return kj::arrayPtr(reinterpret_cast<capnp::word*>(words_.data()), words_.size());
  }

  // `bytes` (a multiple of 8) copied to the front.
  kj::ArrayPtr<const capnp::word> copy(ByteView bytes) {
    const std::size_t count = bytes.size() / kWordBytes;
    kj::ArrayPtr<capnp::word> all = words(count);
    if (count > 0) std::memcpy(words_.data(), bytes.data(), count * kWordBytes);
    return kj::ArrayPtr<const capnp::word>(all.begin(), count);
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace pastry::wire
