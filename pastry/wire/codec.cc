#include "pastry/wire/codec.h"

#include <algorithm>

#include "pastry/wire/body.h"
#include "pastry/wire/hot.h"

namespace pastry::wire {
namespace {

constexpr std::size_t kFirstScratchWords = 512;
constexpr std::size_t kIntroductions = 1024;

// The kinds that need not describe their sender each time.
bool travels_much(const Message& message) {
  return std::holds_alternative<Routed>(message) || std::holds_alternative<HopAck>(message) ||
         std::holds_alternative<Outcome>(message) || std::holds_alternative<Lease>(message) ||
         std::holds_alternative<Pong>(message) || std::holds_alternative<Direct>(message);
}

const Payload* payload_of(const Message& message) {
  if (const auto* routed = std::get_if<Routed>(&message)) return &routed->payload;
  if (const auto* direct = std::get_if<Direct>(&message)) return &direct->payload;
  const auto* relay = std::get_if<Relay>(&message);
  // What a relay encloses is no relay, else the message is not written.
  if (relay == nullptr || !relay->enclosed) return nullptr;
  if (std::holds_alternative<Relay>(relay->enclosed->message)) return nullptr;
  return payload_of(relay->enclosed->message);
}

}  // namespace

std::uint32_t overlay_tag(std::string_view overlay, std::uint16_t version) {
  std::uint32_t hash = 2166136261U;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 16777619U; };
  for (const char c : overlay) add(static_cast<std::uint8_t>(c));
  add(0);
  add(static_cast<std::uint8_t>(version));
  add(static_cast<std::uint8_t>(version >> 8));
  return hash;
}

struct Codec::State {
  // How often a node wrote to a process; at a place that both give.
  struct Introduction {
    Handle from = kNoHandle;
    HostIndex to = kNoHost;
    std::uint32_t count = 0;
  };

  State(Directory& directory_in, const Verifier& verifier, const CodecOptions& options)
      : directory(directory_in),
        peers(directory_in, verifier, options.cache_entries, options.cache_grows),
        tag(options.overlay_tag),
        introductions(kIntroductions),
        general_only(options.general_path_only) {
    const int bits = std::clamp(options.digit_bits, 1, 8);
    geometry.rows = std::min(kRowsMax, static_cast<std::size_t>(digit_count(bits)));
    geometry.entries = std::min(kRowEntriesMax, std::size_t{1} << bits);
  }

  Directory& directory;
  PeerCodec peers;
  Geometry geometry;
  std::uint32_t tag;
  WordBuffer build_space;
  WordBuffer read_space;
  std::vector<Introduction> introductions;
  CodecCounters counters;
  Bytes sender_description;
  bool general_only;

  void refresh();
  bool introduce(Handle from, Handle to);
  Result<void> write(Handle from, Handle to, const Message& message, bool describe,
                     capnp::MessageBuilder& builder);
  bool hot(Handle from, Handle to, const Message& message, bool describe, Bytes& header);
  Result<void> encode(Handle from, Handle to, const Message& message, Frames& out);
  Result<Handle> sender(schema::Envelope::Reader in);
  Result<Decoded> decode(ByteView header, Payload payload);
};

void Codec::State::refresh() {
  if (peers.refresh()) std::fill(introductions.begin(), introductions.end(), Introduction{});
}

// On the 1st, 2nd, 4th … 64th message, and then on every 64th, so that a lost or forgotten
// introduction is soon made up for.
bool Codec::State::introduce(Handle from, Handle to) {
  const HostIndex host = directory.host_index(to);
  const std::uint32_t place = (index(from) * 0x9e3779b1U ^ index(host) * 0x85ebca6bU) >> 16;
  Introduction& entry = introductions[place % kIntroductions];
  if (entry.from != from || entry.to != host) entry = {from, host, 0};
  const std::uint32_t count = ++entry.count;
  return count < 64 ? (count & (count - 1)) == 0 : count % 64 == 0;
}

Result<void> Codec::State::write(Handle from, Handle to, const Message& message, bool describe,
                                 capnp::MessageBuilder& builder) {
  auto out = builder.initRoot<schema::Envelope>();
  out.setOverlayTag(tag);
  out.setVersion(kProtocolVersion);
  out.setDestinationHigh(directory.id(to).high());
  out.setDestinationLow(directory.id(to).low());
  out.setDestinationIncarnation(directory.incarnation(to));
  out.setSenderHigh(directory.id(from).high());
  out.setSenderLow(directory.id(from).low());
  out.setSenderIncarnation(directory.incarnation(from));

  BodyWriter body(peers, geometry, from);
  if (describe) out.setSender(as_data(body.peer(from, "sender")));
  body.write(message, out);
  if (body.error.any()) return tl::unexpected<Error>(body.error.take());
  return {};
}

bool Codec::State::hot(Handle from, Handle to, const Message& message, bool describe,
                       Bytes& header) {
  if (!std::holds_alternative<Routed>(message) && !std::holds_alternative<Direct>(message) &&
      !std::holds_alternative<HopAck>(message))
    return false;
  const HotAddress address{tag, directory.id(to), directory.incarnation(to), directory.id(from),
                           directory.incarnation(from)};
  ByteView description;
  if (describe) {
    const auto encoded = peers.encode(from);
    if (!encoded) return false;
    // Encoding another peer may overwrite it.
    sender_description.assign(encoded->begin(), encoded->end());
    description = sender_description;
  }
  return write_hot(peers, address, from, description, message, header);
}

Result<void> Codec::State::encode(Handle from, Handle to, const Message& message, Frames& out) {
  refresh();
  if (!directory.valid(from) || !directory.valid(to))
    return fail(ErrorCode::invalid, "encode: sender or receiver is not a valid handle");
  const bool describe = !travels_much(message) || introduce(from, to);
  if (const Payload* payload = payload_of(message)) out.payload = *payload;
  if (!general_only && hot(from, to, message, describe, out.header)) {
    ++counters.encoded;
    return {};
  }
  // One segment only: what does not fit is built again with more room.
  for (std::size_t words = kFirstScratchWords; words <= kHeaderBytesMax / kWordBytes; words *= 4) {
    capnp::MallocMessageBuilder builder(build_space.words(words));
    if (auto written = write(from, to, message, describe, builder); !written) return written;
    const auto segments = builder.getSegmentsForOutput();
    if (segments.size() != 1) continue;
    const auto bytes = segments[0].asBytes();
    out.header.resize(kTableBytes + bytes.size());
    put_little_endian_32(out.header.data(), 0);
    put_little_endian_32(out.header.data() + 4, static_cast<std::uint32_t>(segments[0].size()));
    std::memcpy(out.header.data() + kTableBytes, bytes.begin(), bytes.size());
    ++counters.encoded;
    return {};
  }
  return fail(ErrorCode::too_large, "frame: the header is over 512 KiB");
}

Result<Handle> Codec::State::sender(schema::Envelope::Reader in) {
  const NodeId id(in.getSenderHigh(), in.getSenderLow());
  const std::uint64_t incarnation = in.getSenderIncarnation();
  if (!in.hasSender()) {
    const Handle known = peers.known(id, incarnation);
    if (known != kNoHandle) return known;
    return fail(ErrorCode::not_found, "sender: " + id.hex() + " is not known");
  }
  auto described = peers.decode(as_view(in.getSender()));
  if (!described) return fail(described.error().code, "sender: " + described.error().message);
  if (directory.id(*described) != id || directory.incarnation(*described) != incarnation)
    return fail(ErrorCode::invalid, "sender: the description is of another node");
  return described;
}

Result<Decoded> Codec::State::decode(ByteView header, Payload payload) {
  if (header.size() > kHeaderBytesMax)
    return fail(ErrorCode::too_large, "frame: the header is over 512 KiB");
  if (payload.size() > kPayloadBytesMax)
    return fail(ErrorCode::too_large, "frame: the payload is over 1088 KiB");
  const auto message = first_message(header);
  if (!message) return tl::unexpected<Error>(message.error());
  if (message->size() != header.size())
    return fail(ErrorCode::invalid, "frame: bytes after the message");

  const kj::ArrayPtr<const capnp::word> segment = read_space.copy(message->subspan(kTableBytes));
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1),
                                          reader_options(segment.size()));
  const auto in = reader.getRoot<schema::Envelope>();
  if (in.getVersion() != kProtocolVersion)
    return fail(ErrorCode::incompatible, "version: " + std::to_string(in.getVersion()));
  if (in.getOverlayTag() != tag)
    return fail(ErrorCode::incompatible, "overlay_tag: of another overlay");

  const auto from = sender(in);
  if (!from) return tl::unexpected<Error>(from.error());
  Result<Decoded> decoded(tl::in_place);
  decoded->destination = NodeId(in.getDestinationHigh(), in.getDestinationLow());
  decoded->destination_incarnation = in.getDestinationIncarnation();
  decoded->from = *from;
  BodyReader body(peers, geometry, *from);
  decoded->message = body.read(in, std::move(payload));
  if (body.error.any()) return tl::unexpected<Error>(body.error.take());
  return decoded;
}

Codec::Codec(Directory& directory, const Verifier& verifier, const CodecOptions& options)
    : state_(std::make_unique<State>(directory, verifier, options)) {}

Codec::~Codec() = default;

Result<void> Codec::encode(Handle from, Handle to, const Message& message, Frames& out) {
  out.payload = Payload();
  const WithoutStackTraces quiet;
  try {
    auto result = state_->encode(from, to, message, out);
    if (!result) out.header.clear();
    return result;
  } catch (const kj::Exception& exception) {
    out.header.clear();
    return malformed("encode", exception);
  }
}

Result<Decoded> Codec::decode(ByteView header, Payload payload) {
  state_->refresh();
  if (!state_->general_only && payload.size() <= kPayloadBytesMax) {
    Result<Decoded> hot(tl::in_place);
    if (read_hot(state_->peers, state_->tag, header, payload, *hot)) {
      ++state_->counters.decoded;
      return hot;
    }
  }
  const WithoutStackTraces quiet;
  const auto decoded = [&]() -> Result<Decoded> {
    try {
      return state_->decode(header, std::move(payload));
    } catch (const kj::Exception& exception) {
      return malformed("message", exception);
    }
  };
  auto result = decoded();
  ++(result ? state_->counters.decoded : state_->counters.refused);
  return result;
}

const CodecCounters& Codec::counters() const {
  state_->counters.peers_verified = state_->peers.verified();
  return state_->counters;
}

}  // namespace pastry::wire
