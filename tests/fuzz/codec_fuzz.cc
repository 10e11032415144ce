// Any bytes as header frames (and the payload behind them) into the codec.
//
// Input: the frame. Without a right overlay tag and known sender little would be reached, so these
// are put in where they belong if the input is long enough; its first byte decides what is done.
#include <cstdlib>
#include <cstring>

#include "pastry/core/directory.h"
#include "pastry/core/verifier.h"
#include "pastry/wire/codec.h"

namespace pastry::wire {
namespace {

constexpr std::uint32_t kTag = 0x01020304;
constexpr std::uint64_t kSenderWord = 0x1111111111111111;

PeerInfo known_peer() {
  PeerInfo peer;
  peer.id = NodeId(kSenderWord, kSenderWord);
  peer.incarnation = kSenderWord;
  peer.host.addresses = {"tcp://127.0.0.1:5000"};
  return peer;
}

struct Target {
  Target() { directory.intern(known_peer()); }
  Directory directory{4096};
  InsecureLoopbackVerifier verifier;
  Codec hot{directory, verifier, {kTag, 4, 64}};
  Codec general{directory, verifier, {kTag, 4, 64, true}};
};

void put(Bytes& frame, std::size_t at, std::uint64_t word) {
  if (frame.size() >= at + 8) std::memcpy(frame.data() + at, &word, 8);
}

// What the fuzzer would have to guess.
void make_plausible(Bytes& frame) {
  frame.resize(frame.size() / 8 * 8);
  if (frame.size() < 16) return;
  put(frame, 0, (frame.size() / 8 - 1) << 32);
  put(frame, 8, 7ULL << 32 | 2ULL << 48);  // the envelope's root pointer
  if (frame.size() < 24) return;
  const std::uint64_t tag_and_version = kTag | static_cast<std::uint64_t>(kProtocolVersion) << 32;
  std::memcpy(frame.data() + 16, &tag_and_version, 6);
  for (std::size_t word = 6; word < 9; ++word) put(frame, 8 * word, kSenderWord);
}

void require(bool condition) {
  if (!condition) std::abort();
}

void run(ByteView input) {
  if (input.empty()) return;
  static Target* target = new Target;  // rebuilt before its directory is full of invented peers
  if (target->directory.size() > 4000) {
    delete target;
    target = new Target;
  }
  Bytes frame(input.begin() + 1, input.end());
  if ((input[0] & 1) != 0) make_plausible(frame);
  const Payload payload((input[0] & 2) != 0 ? Bytes(input[0]) : Bytes());

  ByteView rest = frame;
  while (!rest.empty() && next_message(rest)) {
  }
  const auto hot = target->hot.decode(frame, payload);
  const auto general = target->general.decode(frame, payload);
  require(hot.has_value() == general.has_value());
  if (!hot) return;
  require(hot->message.index() == general->message.index());
  Frames out;
  require(target->hot.encode(hot->from, hot->from, hot->message, out).has_value());
}

}  // namespace
}  // namespace pastry::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pastry::wire::run({data, size});
  return 0;
}
