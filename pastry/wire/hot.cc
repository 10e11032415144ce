#include "pastry/wire/hot.h"

#include <bit>
#include <cstring>

namespace pastry::wire {
namespace {

using Word = std::uint64_t;
using Which = schema::Envelope::Which;

// Words of a frame: table, root pointer, 7 of the envelope's data, its 2 pointers, then what they
// point at.
enum FrameWord : std::size_t {
  kRoot = 1,
  kKindWord = 2,
  kDestination = 3,
  kSender = 6,
  kSenderPointer = 9,
  kBodyPointer = 10,
  kRest = 11,
};

// Words of the bodies' data and pointers.
constexpr std::size_t kRoutedData = 6;
constexpr std::size_t kRoutedWords = 8;
constexpr std::size_t kDirectData = 2;
constexpr std::size_t kDirectWords = 3;
constexpr std::size_t kAckWords = 3;  // the tag of the list included

constexpr bool kLittleEndian = std::endian::native == std::endian::little;

constexpr Word struct_pointer(std::size_t offset, std::size_t data, std::size_t pointers) {
  return offset << 2 | data << 32 | pointers << 48;
}
constexpr Word bytes_pointer(std::size_t offset, std::size_t size) {
  return 1 | offset << 2 | Word{2} << 32 | size << 35;
}
constexpr Word structs_pointer(std::size_t offset, std::size_t words) {
  return 1 | offset << 2 | Word{7} << 32 | words << 35;
}
constexpr Word structs_tag(std::size_t count, std::size_t data) { return count << 2 | data << 32; }

constexpr Word kRootPointer = struct_pointer(0, 7, 2);
constexpr Word kRoutedPointer = struct_pointer(0, kRoutedData, 2);
constexpr Word kDirectPointer = struct_pointer(0, kDirectData, 1);
constexpr Word kAckPointer = struct_pointer(0, 1, 1);

class Writer {
 public:
  // A frame of `words` words, table included.
  Writer(Bytes& frame, std::size_t words) : frame_(frame) {
    frame.resize(words * 8);
    put(0, (words - 1) << 32);
  }

  void put(std::size_t at, Word word) { std::memcpy(frame_.data() + 8 * at, &word, 8); }

  // Descriptions are whole words.
  void put(std::size_t at, ByteView bytes) {
    if (!bytes.empty()) std::memcpy(frame_.data() + 8 * at, bytes.data(), bytes.size());
  }

  void envelope(const HotAddress& address, Which kind, ByteView description, Word body) {
    put(kRoot, kRootPointer);
    put(kKindWord,
        address.overlay_tag | Word{kProtocolVersion} << 32 | static_cast<Word>(kind) << 48);
    put(kDestination, address.destination.high());
    put(kDestination + 1, address.destination.low());
    put(kDestination + 2, address.destination_incarnation);
    put(kSender, address.sender.high());
    put(kSender + 1, address.sender.low());
    put(kSender + 2, address.sender_incarnation);
    put(kSenderPointer, description.empty() ? 0 : bytes_pointer(1, description.size()));
    put(kBodyPointer, body | description.size() / 8 << 2);
    put(kRest, description);
  }

 private:
  Bytes& frame_;
};

bool write(PeerCodec& peers, const HotAddress& address, Handle from, ByteView description,
           const Routed& message, Bytes& header) {
  const RouteHeader& route = message.header;
  if (!route.avoid.empty() || route.hops > kHopsMax || route.replicas == 0 ||
      route.replicas > kReplicasMax || message.payload.size() > kPayloadBytesMax)
    return false;
  const bool at_source = route.source == from;
  ByteView source;
  if (!at_source) {
    if (route.source == kNoHandle) return false;
    const auto encoded = peers.encode(route.source);
    if (!encoded) return false;
    source = *encoded;
  }
  const std::size_t body = kRest + description.size() / 8;
  Writer out(header, body + kRoutedWords + source.size() / 8);
  out.envelope(address, Which::ROUTED, description, kRoutedPointer);
  out.put(body, route.key.high());
  out.put(body + 1, route.key.low());
  out.put(body + 2, route.sequence);
  out.put(body + 3, static_cast<std::uint32_t>(route.application) | Word{route.hop_sequence} << 32);
  out.put(body + 4, message.payload.size() | Word{route.hops} << 32 | Word{route.reroutes} << 48 |
                        Word{route.replicas} << 56);
  out.put(body + 5, static_cast<Word>(route.kind) | Word{route.wants_outcome} << 16 |
                        Word{at_source} << 17 | Word{route.witnessed} << 18);
  out.put(body + 6, at_source ? 0 : bytes_pointer(1, source.size()));
  out.put(body + 7, 0);
  out.put(body + kRoutedWords, source);
  return true;
}

bool write(PeerCodec&, const HotAddress& address, Handle, ByteView description,
           const Direct& message, Bytes& header) {
  if (!message.peers.empty() || message.payload.size() > kPayloadBytesMax) return false;
  const std::size_t body = kRest + description.size() / 8;
  Writer out(header, body + kDirectWords);
  out.envelope(address, Which::DIRECT, description, kDirectPointer);
  out.put(body, static_cast<std::uint32_t>(message.application) | Word{message.request} << 32);
  out.put(body + 1,
          message.payload.size() | Word{message.reply} << 32 | Word{message.refused} << 33);
  out.put(body + 2, 0);
  return true;
}

bool write(PeerCodec&, const HotAddress& address, Handle, ByteView description,
           const HopAck& message, Bytes& header) {
  const std::size_t count = message.ranges.size();
  if (count > kAckRangesMax) return false;
  std::uint64_t total = 0;
  for (const auto& range : message.ranges) {
    if (range.second == 0) return false;
    total += range.second;
  }
  if (total > kAcknowledgedMax) return false;
  const std::size_t body = kRest + description.size() / 8;
  Writer out(header, body + kAckWords + count);
  out.envelope(address, Which::HOP_ACK, description, kAckPointer);
  out.put(body, Word{message.held});
  out.put(body + 1, structs_pointer(0, count));
  out.put(body + 2, structs_tag(count, 1));
  for (std::size_t i = 0; i < count; ++i)
    out.put(body + kAckWords + i, message.ranges[i].first | Word{message.ranges[i].second} << 32);
  return true;
}

class Reader {
 public:
  explicit Reader(ByteView frame) : frame_(frame) {}

  std::size_t words() const { return frame_.size() / 8; }
  Word at(std::size_t index) const {
    Word word;
    std::memcpy(&word, frame_.data() + 8 * index, 8);
    return word;
  }
  ByteView bytes(std::size_t at, std::size_t size) const { return frame_.subspan(8 * at, size); }

 private:
  ByteView frame_;
};

bool read_source(PeerCodec& peers, const Reader& in, bool at_source, Handle sender,
                 Handle& source) {
  const Word pointer = in.at(kRest + 6);
  const std::size_t size = pointer >> 35;
  if (at_source) {
    source = sender;
    return pointer == 0 && in.words() == kRest + kRoutedWords;
  }
  if (pointer != bytes_pointer(1, size) || size % 8 != 0 ||
      in.words() != kRest + kRoutedWords + size / 8)
    return false;
  source = peers.cached(in.bytes(kRest + kRoutedWords, size));
  return source != kNoHandle;
}

bool read_routed(PeerCodec& peers, const Reader& in, Payload& payload, Decoded& decoded) {
  if (in.words() < kRest + kRoutedWords || in.at(kBodyPointer) != kRoutedPointer ||
      in.at(kRest + 7) != 0)
    return false;
  const Word mixed = in.at(kRest + 4);
  const Word flags = in.at(kRest + 5);
  const auto hops = static_cast<std::uint16_t>(mixed >> 32);
  const auto replicas = static_cast<std::uint8_t>(mixed >> 56);
  if (static_cast<std::uint32_t>(mixed) != payload.size() || hops > kHopsMax || replicas == 0 ||
      replicas > kReplicasMax || (flags & 0xffff) > static_cast<Word>(LookupKind::replica))
    return false;
  Handle source = kNoHandle;
  if (!read_source(peers, in, (flags >> 17 & 1) != 0, decoded.from, source)) return false;

  Routed& message = decoded.message.emplace<Routed>();
  RouteHeader& route = message.header;
  route.key = Key(in.at(kRest), in.at(kRest + 1));
  route.source = source;
  route.sequence = in.at(kRest + 2);
  route.application = ApplicationId{static_cast<std::uint32_t>(in.at(kRest + 3))};
  route.hop_sequence = static_cast<std::uint32_t>(in.at(kRest + 3) >> 32);
  route.hops = hops;
  route.reroutes = static_cast<std::uint8_t>(mixed >> 48);
  route.replicas = replicas;
  route.kind = static_cast<LookupKind>(flags & 0xffff);
  route.wants_outcome = (flags >> 16 & 1) != 0;
  route.witnessed = (flags >> 18 & 1) != 0;
  message.payload = std::move(payload);
  return true;
}

bool read_direct(const Reader& in, Payload& payload, Decoded& decoded) {
  if (in.words() != kRest + kDirectWords || in.at(kBodyPointer) != kDirectPointer ||
      in.at(kRest + 2) != 0)
    return false;
  const Word numbers = in.at(kRest);
  const Word flags = in.at(kRest + 1);
  if (static_cast<std::uint32_t>(flags) != payload.size()) return false;
  Direct& message = decoded.message.emplace<Direct>();
  message.application = ApplicationId{static_cast<std::uint32_t>(numbers)};
  message.request = static_cast<std::uint32_t>(numbers >> 32);
  message.reply = (flags >> 32 & 1) != 0;
  message.refused = (flags >> 33 & 1) != 0;
  message.payload = std::move(payload);
  return true;
}

bool read_hop_ack(const Reader& in, const Payload& payload, Decoded& decoded) {
  if (in.words() < kRest + kAckWords || in.at(kBodyPointer) != kAckPointer || !payload.empty())
    return false;
  const std::size_t count = in.words() - kRest - kAckWords;
  if (count > kAckRangesMax || in.at(kRest) > 1 || in.at(kRest + 1) != structs_pointer(0, count) ||
      in.at(kRest + 2) != structs_tag(count, 1))
    return false;
  HopAck& message = decoded.message.emplace<HopAck>();
  message.held = in.at(kRest) == 1;
  message.ranges.reserve(count);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Word range = in.at(kRest + kAckWords + i);
    message.ranges.emplace_back(static_cast<std::uint32_t>(range), range >> 32);
    total += range >> 32;
    if (range >> 32 == 0) return false;
  }
  return total <= kAcknowledgedMax;
}

}  // namespace

bool write_hot(PeerCodec& peers, const HotAddress& address, Handle from, ByteView description,
               const Message& message, Bytes& header) {
  if constexpr (!kLittleEndian) return false;
  if (const auto* routed = std::get_if<Routed>(&message))
    return write(peers, address, from, description, *routed, header);
  if (const auto* direct = std::get_if<Direct>(&message))
    return write(peers, address, from, description, *direct, header);
  if (const auto* ack = std::get_if<HopAck>(&message))
    return write(peers, address, from, description, *ack, header);
  return false;
}

bool read_hot(PeerCodec& peers, std::uint32_t overlay_tag, ByteView header, Payload& payload,
              Decoded& decoded) {
  const Reader in(header);
  if (!kLittleEndian || header.size() % 8 != 0 || in.words() < kRest ||
      in.at(0) != (in.words() - 1) << 32 || in.at(kRoot) != kRootPointer ||
      in.at(kSenderPointer) != 0)
    return false;
  const Word kind = in.at(kKindWord);
  if ((kind & 0xffffffffffffULL) != (overlay_tag | Word{kProtocolVersion} << 32)) return false;
  decoded.from = peers.known(NodeId(in.at(kSender), in.at(kSender + 1)), in.at(kSender + 2));
  if (decoded.from == kNoHandle) return false;
  decoded.destination = NodeId(in.at(kDestination), in.at(kDestination + 1));
  decoded.destination_incarnation = in.at(kDestination + 2);
  switch (static_cast<Which>(kind >> 48)) {
    case Which::ROUTED:
      return read_routed(peers, in, payload, decoded);
    case Which::DIRECT:
      return read_direct(in, payload, decoded);
    case Which::HOP_ACK:
      return read_hop_ack(in, payload, decoded);
    default:
      return false;
  }
}

}  // namespace pastry::wire
