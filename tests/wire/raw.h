// Frames that no correct node would send, made with the schema's own builders. For tests.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <string>

#include "pastry/wire/schema.h"
#include "tests/wire/fixture.h"

namespace pastry::wire {

inline Bytes flat(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return Bytes(bytes.begin(), bytes.end());
}

inline kj::ArrayPtr<const kj::byte> data(const Bytes& bytes) {
  return {bytes.data(), bytes.size()};
}

// Two processes: one that speaks by hand, and one with a codec. Both know the speaker.
class Victim {
 public:
  explicit Victim(int digit_bits = 4, std::size_t max_peers = 1U << 16)
      : directory(max_peers), codec(directory, verifier, {kTag, digit_bits, 64}) {
    from = directory.intern(plain_peer(random));
    to = directory.intern(plain_peer(random));
    codec_of_others = std::make_unique<Codec>(others, verifier, CodecOptions{kTag});
  }

  static constexpr std::uint32_t kTag = 0xabcdef01;

  // The frame of an otherwise correct envelope to which `fill` was done.
  template <typename Fill>
  Bytes frame(Fill&& fill) {
    capnp::MallocMessageBuilder message(1 << 16);
    auto out = message.initRoot<schema::Envelope>();
    out.setOverlayTag(kTag);
    out.setVersion(kProtocolVersion);
    out.setDestinationHigh(directory.id(to).high());
    out.setDestinationLow(directory.id(to).low());
    out.setDestinationIncarnation(directory.incarnation(to));
    out.setSenderHigh(directory.id(from).high());
    out.setSenderLow(directory.id(from).low());
    out.setSenderIncarnation(directory.incarnation(from));
    fill(out);
    return flat(message);
  }

  // What becomes of it: "" if accepted, otherwise the error's message.
  template <typename Fill>
  std::string answer(Fill&& fill, Payload payload = {}) {
    return answer_to(frame(fill), std::move(payload));
  }
  std::string answer_to(const Bytes& frame, Payload payload = {}) {
    const auto decoded = codec.decode(frame, std::move(payload));
    if (decoded) return "";
    code = decoded.error().code;
    return decoded.error().message;
  }

  // The encoding of a peer that the codec has not seen.
  Bytes new_peer() { return encoding(plain_peer(random)); }

  // The encoding of `peer`, as found in a message that describes its sender.
  Bytes encoding(const PeerInfo& peer) {
    Frames frames;
    const Handle sender = others.intern(peer);
    if (!codec_of_others->encode(sender, sender, Ping{}, frames)) return {};
    capnp::FlatArrayMessageReader reader(aligned(frames.header));
    const auto bytes = reader.getRoot<schema::Envelope>().getSender();
    return Bytes(bytes.begin(), bytes.end());
  }

  // A peer's encoding with something changed by hand.
  template <typename Change>
  Bytes peer(Change&& change) {
    capnp::MallocMessageBuilder message(1 << 12);
    auto out = message.initRoot<schema::Peer>();
    out.setIdHigh(random.next());
    out.setIncarnation(1);
    change(out);
    const auto bytes = message.getSegmentsForOutput()[0].asBytes();
    return Bytes(bytes.begin(), bytes.end());
  }

  // What becomes of a message that mentions this peer.
  std::string answer_to_peer(const Bytes& encoded) {
    return answer([&](schema::Envelope::Builder out) {
      out.initLeave().initLeafSet(1).set(0, data(encoded));
    });
  }

  kj::ArrayPtr<const capnp::word> aligned(const Bytes& bytes) {
    copy_.resize(bytes.size() / 8);
    std::memcpy(copy_.data(), bytes.data(), bytes.size());
    return {reinterpret_cast<const capnp::word*>(copy_.data()), copy_.size()};
  }

  Random random{7};
  Directory directory;
  OpenVerifier verifier;
  Codec codec;
  Handle from;
  Handle to;
  ErrorCode code = ErrorCode::failed;

 private:
  Directory others;
  std::unique_ptr<Codec> codec_of_others;
  std::vector<std::uint64_t> copy_;
};

}  // namespace pastry::wire
