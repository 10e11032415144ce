// The codec: messages of the core as values <-> frames as they travel. Specified in pastry.capnp.
//
// A message travels as a header frame and, for Routed and Direct with a payload, a payload frame
// that is passed by reference and never parsed. Small messages to the same process can share one
// header frame (Pack). Nothing that a peer sends makes the codec throw, assert or allocate beyond
// the bounds of limits.h: bad input is an Error that names the field.
//
// Who is known: the messages that travel most (Routed, HopAck, Outcome, Lease, Pong, Direct)
// name their sender by (id, incarnation) and describe it in full only now and then; all others
// always describe it. A receiver that does not know the sender refuses the message (not_found). A
// host therefore keeps the nodes of an admitted process (their Hello lists them) in its Directory
// for as long as the process is admitted.
//
// One codec per Directory (per process, or per simulation that shares one Directory): it keeps a
// cache of recently seen peers of a few hundred KiB. Not thread-safe: belongs to the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/error.h"
#include "pastry/core/message.h"
#include "pastry/core/payload.h"
#include "pastry/core/verifier.h"
#include "pastry/wire/limits.h"

namespace pastry::wire {

// Stands in every message, so that strays of another overlay or version are dropped. Not a secret.
std::uint32_t overlay_tag(std::string_view overlay, std::uint16_t version = kProtocolVersion);

// What goes out: reuse one object for many messages, its header keeps its memory.
struct Frames {
  Bytes header;
  Payload payload;  // second frame; absent on the wire if empty
};

struct Decoded {
  // Which node of this process the message is for. The host drops it if it has no such node.
  NodeId destination;
  std::uint64_t destination_incarnation = 0;
  // Who claims to have sent it, verified and interned. The host checks it against the process that
  // the connection belongs to.
  Handle from = kNoHandle;
  Message message;
};

struct CodecOptions {
  std::uint32_t overlay_tag = 0;
  // b of the overlay (Config::digit_bits): bounds rows and their entries.
  int digit_bits = 4;
  // Peers whose encoding is kept at hand, a power of two: 12 bytes each, and 256 more when first
  // used. Those beyond cost some 20 times more to write and read.
  std::size_t cache_entries = 16384;
  // Without the short cuts for the messages that travel most, which give the same bytes (for
  // tests).
  bool general_path_only = false;
  // Room for more as the directory grows: a simulation writes and reads all of its nodes.
  bool cache_grows = false;
};

// Counters since the codec was made.
struct CodecCounters {
  std::uint64_t encoded = 0;
  std::uint64_t decoded = 0;
  std::uint64_t refused = 0;         // decodes that failed
  std::uint64_t peers_verified = 0;  // descriptions not seen before
};

class Codec {
 public:
  // `directory` and `verifier` must outlive the codec.
  Codec(Directory& directory, const Verifier& verifier, const CodecOptions& options);
  ~Codec();
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  // Replaces `out` by the frames of `message` from the node `from` to the node `to`. All handles
  // must be valid in the directory, or kNoHandle where message.h allows it. Errors: too_large,
  // invalid (a list over its bound, an invalid handle); `out` is then empty.
  Result<void> encode(Handle from, Handle to, const Message& message, Frames& out);

  // Reads one message. `header` need not be aligned and is not kept; `payload` is the second frame
  // or empty. Errors: incompatible (overlay, version, kind unknown), invalid, too_large, refused
  // (by the verifier), not_found (unknown sender), full (the directory).
  Result<Decoded> decode(ByteView header, Payload payload = {});

  const CodecCounters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lower-case name of the message's kind for logs and counters: "routed", "hop_ack", …
std::string_view kind_of(const Message& message);

// The names of all kinds in the order of the Message variant.
std::size_t kind_count();
std::string_view kind_name(std::size_t index);

// --- Several messages in one frame ---------------------------------------------------------------

// Gathers header frames without payload into one frame. A message with a payload travels alone.
class Pack {
 public:
  // True if `header` was added; false if the frame is full (send it, clear() and add again). Any
  // message fits into an empty pack.
  bool add(ByteView header);
  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  ByteView frame() const { return frame_; }
  // Hands the frame over and starts anew.
  Bytes take();
  void clear();

 private:
  Bytes frame_;
  std::size_t count_ = 0;
};

// Cuts the next message off a header frame that holds one or more; `rest` shrinks. Call until
// `rest` is empty. Errors: invalid, too_large.
Result<ByteView> next_message(ByteView& rest);

// Whether the frame holds exactly one message (only then may a payload frame follow).
bool is_single(ByteView frame);

}  // namespace pastry::wire
