// Looking into messages from outside: the kind of a message, a hash of its content.
#pragma once

#include <cstddef>
#include <string_view>
#include <variant>

#include "pastry/core/message.h"
#include "pastry/sim/trace_hash.h"

namespace pastry::sim {

inline constexpr std::size_t kMessageKinds = std::variant_size_v<Message>;

// The name of the kind of message at this index of the variant, as in message.h.
std::string_view message_kind(std::size_t variant_index);
inline std::string_view message_kind(const Message& message) {
  return message_kind(message.index());
}

// Adds the whole content, with handles in place of what they stand for: what the trace hash covers
// when messages are not encoded.
void add_message(TraceHash& hash, const Message& message);

}  // namespace pastry::sim
