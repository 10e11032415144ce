// One Cap'n Proto message in one segment, to bytes and back within bounds. Internal.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace scribe {

inline constexpr std::size_t kMessageBytesMax = 64 * 1024;
inline constexpr int kNestingMax = 8;

// Appends the message to `bytes`.
inline void append_message(capnp::MessageBuilder& message, pastry::Bytes& bytes) {
  const auto words = capnp::messageToFlatArray(message);
  const auto body = words.asBytes();
  bytes.insert(bytes.end(), body.begin(), body.end());
}

// Calls read(Root::Reader), which returns a Result; what is malformed is ErrorCode::invalid.
template <typename Root, typename Read>
auto read_message(pastry::ByteView bytes, Read&& read) -> decltype(read(typename Root::Reader())) {
  const auto malformed = [] {
    return pastry::fail(pastry::ErrorCode::invalid, "malformed message");
  };
  if (bytes.size() < 8 || bytes.size() > kMessageBytesMax || bytes.size() % 8 != 0) {
    return malformed();
  }
  // One segment only: the first four bytes then are zero.
  if (std::any_of(bytes.begin(), bytes.begin() + 4, [](std::uint8_t byte) { return byte != 0; })) {
    return malformed();
  }
  std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(words.data()));
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 2 * words.size();
  options.nestingLimit = kNestingMax;
  try {
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()), options);
    return read(reader.getRoot<Root>());
  } catch (const kj::Exception&) {
    return malformed();
  }
}

}  // namespace scribe
