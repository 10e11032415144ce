// The messages that travel most, written and read without Cap'n Proto's machinery. Internal.
//
// Routed, Direct and HopAck have a layout that follows from pastry.capnp; here it is written out,
// word by word, which costs a third of what builders and readers do. What is written is, byte for
// byte, what the general path writes (tested); what is read is taken only if it has exactly this
// layout and every value is within its bounds. Everything else is left to the general path, errors
// included.
#pragma once

#include <cstdint>

#include "pastry/core/message.h"
#include "pastry/wire/codec.h"
#include "pastry/wire/peer_codec.h"

namespace pastry::wire {

struct HotAddress {
  std::uint32_t overlay_tag = 0;
  NodeId destination;
  std::uint64_t destination_incarnation = 0;
  NodeId sender;
  std::uint64_t sender_incarnation = 0;
};

// Replaces `header` by the frame of `message` and true, or false. `description` of the sender may
// be empty.
bool write_hot(PeerCodec& peers, const HotAddress& address, Handle from, ByteView description,
               const Message& message, Bytes& header);

// Fills `decoded` and takes `payload`, or false; `payload` is then untouched.
bool read_hot(PeerCodec& peers, std::uint32_t overlay_tag, ByteView header, Payload& payload,
              Decoded& decoded);

}  // namespace pastry::wire
