#include "pastry/wire/peer_codec.h"

#include <capnp/any.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "pastry/wire/address.h"

namespace pastry::wire {
namespace {

// Descriptions longer than this are encoded anew each time, which bounds the cache.
constexpr std::size_t kCachedBytesMax = 240;
constexpr std::size_t kCacheEntriesMax = 1U << 20;
// A power of two; a peer whose place is another one's has to be looked up.
constexpr std::size_t kPlacesPerEntry = 2;
// Fewer encodings mostly are in the processor's cache anyway.
constexpr std::size_t kLargeCache = 1U << 14;

Result<void> write_address(const std::string& text, schema::Address::Builder out) {
  const auto address = parse_address(text);
  if (!address) return tl::unexpected<Error>(address.error());
  if (!is_canonical(*address, text))
    return fail(ErrorCode::invalid,
                "address \"" + text + "\": should be written \"" + format_address(*address) + "\"");
  out.setHigh(address->high);
  out.setLow(address->low);
  out.setPort(address->port);
  out.setKind(static_cast<schema::Address::Kind>(address->kind));
  if (address->kind == Address::Kind::name) out.setName(as_text(address->name));
  return {};
}

Result<std::string> read_address(schema::Address::Reader in) {
  Address address;
  address.high = in.getHigh();
  address.low = in.getLow();
  address.port = in.getPort();
  if (address.port == 0) return fail(ErrorCode::invalid, "address.port: 0");
  switch (in.getKind()) {
    case schema::Address::Kind::IPV4:
      if (address.high != 0 || address.low > UINT32_MAX)
        return fail(ErrorCode::invalid, "address.low: not an IPv4 address");
      address.kind = Address::Kind::ipv4;
      break;
    case schema::Address::Kind::IPV6:
      address.kind = Address::Kind::ipv6;
      break;
    case schema::Address::Kind::NAME:
      address.kind = Address::Kind::name;
      if (!valid_host_name(as_view(in.getName())))
        return fail(ErrorCode::invalid, "address.name: not a host name");
      address.name = as_view(in.getName());
      break;
    default:
      return fail(ErrorCode::invalid, "address.kind: unknown");
  }
  return format_address(address);
}

std::uint64_t key_word(const TransportKey& key, std::size_t word) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= static_cast<std::uint64_t>(key.bytes[8 * word + i]) << (8 * i);
  return value;
}

void put_key_word(TransportKey& key, std::size_t word, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i)
    key.bytes[8 * word + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

struct Identity {
  std::uint64_t high, low, incarnation;
};

// Where a writer of this version puts id and incarnation. Only a hint: what counts is that all
// bytes are equal.
std::optional<Identity> identity_of(ByteView bytes) {
  if (bytes.size() % kWordBytes != 0 || bytes.size() < 4 * kWordBytes) return std::nullopt;
  Identity identity{};
  std::memcpy(&identity, bytes.data() + kWordBytes, sizeof identity);
  return identity;
}

}  // namespace

bool printable(std::string_view text, std::size_t max) {
  return text.size() <= max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

schema::Host::Builder init_host(schema::Peer::Builder peer, const HostInfo& host) {
  if (host.location.known()) return peer.initHost();
  constexpr std::uint16_t kWordsBefore = 4;
  constexpr std::uint16_t kPointers = 2;
  return capnp::toAny(peer)
      .getPointerSection()[0]
      .initAsAnyStruct(kWordsBefore, kPointers)
      .as<schema::Host>();
}

Result<void> write_host(const HostInfo& host, schema::Host::Builder out) {
  if (host.addresses.size() > kAddressesMax)
    return fail(ErrorCode::too_large, "host.addresses: more than 4");
  if (!printable(host.domain, kDomainBytesMax))
    return fail(ErrorCode::invalid, "host.domain: over 64 bytes or not printable");
  out.setKey0(key_word(host.transport_key, 0));
  out.setKey1(key_word(host.transport_key, 1));
  out.setKey2(key_word(host.transport_key, 2));
  out.setKey3(key_word(host.transport_key, 3));
  if (!host.addresses.empty()) {
    auto list = out.initAddresses(static_cast<unsigned>(host.addresses.size()));
    for (unsigned i = 0; i < list.size(); ++i)
      if (auto written = write_address(host.addresses[i], list[i]); !written) return written;
  }
  if (!host.domain.empty()) out.setDomain(as_text(host.domain));
  if (host.location.known()) {
    out.setLatitude(host.location.latitude_steps());
    out.setLongitude(host.location.longitude_steps());
  }
  return {};
}

Result<HostInfo> read_host(schema::Host::Reader in) {
  const auto addresses = in.getAddresses();
  if (addresses.size() > kAddressesMax)
    return fail(ErrorCode::too_large, "host.addresses: more than 4");
  const auto domain = as_view(in.getDomain());
  if (!printable(domain, kDomainBytesMax))
    return fail(ErrorCode::invalid, "host.domain: over 64 bytes or not printable");

  const auto location = proximity::Location::from_steps(in.getLatitude(), in.getLongitude());
  if (!location) return fail(ErrorCode::invalid, "host.latitude, host.longitude: not on the earth");

  HostInfo host;
  put_key_word(host.transport_key, 0, in.getKey0());
  put_key_word(host.transport_key, 1, in.getKey1());
  put_key_word(host.transport_key, 2, in.getKey2());
  put_key_word(host.transport_key, 3, in.getKey3());
  host.addresses.reserve(addresses.size());
  for (const auto entry : addresses) {
    auto address = read_address(entry);
    if (!address) return tl::unexpected<Error>(std::move(address.error()));
    host.addresses.push_back(std::move(*address));
  }
  host.domain = domain;
  host.location = *location;
  return host;
}

PeerCodec::PeerCodec(Directory& directory, const Verifier& verifier, std::size_t cache_entries,
                     bool cache_grows)
    : directory_(directory),
      verifier_(verifier),
      generation_(directory.generation()),
      mask_(std::bit_ceil(std::clamp<std::size_t>(cache_entries, 16, kCacheEntriesMax)) - 1),
      grows_(cache_grows),
      entries_(mask_ + 1),
      by_identity_(kPlacesPerEntry * entries_.size(), kNoHandle) {}

bool PeerCodec::refresh() {
  if (generation_ == directory_.generation()) return false;
  generation_ = directory_.generation();
  for (Entry& entry : entries_) entry.peer = kNoHandle;
  std::fill(by_identity_.begin(), by_identity_.end(), kNoHandle);
  return true;
}

std::size_t PeerCodec::place(std::uint64_t high, std::uint64_t low,
                             std::uint64_t incarnation) const {
  const std::uint64_t mixed = (high ^ (low + incarnation)) * 0x9e3779b97f4a7c15ULL;
  return (mixed >> 32) & (by_identity_.size() - 1);
}

Handle& PeerCodec::slot(std::uint64_t high, std::uint64_t low, std::uint64_t incarnation) {
  return by_identity_[place(high, low, incarnation)];
}

bool PeerCodec::large() const { return entries_.size() >= kLargeCache; }

void PeerCodec::prefetch(std::span<const Handle> peers) const {
  if (!large()) return;
  peers = peers.first(std::min(peers.size(), kTogether));
  for (const Handle peer : peers) prefetch_line(&entries_[index(peer) & mask_]);
  for (const Handle peer : peers) {
    const Entry& entry = entries_[index(peer) & mask_];
    if (entry.peer == peer) prefetch_lines(entry.bytes.get(), entry.size);
  }
}

void PeerCodec::prefetch(std::span<const ByteView> encoded) const {
  if (!large()) return;
  encoded = encoded.first(std::min(encoded.size(), kTogether));
  std::array<const Handle*, kTogether> hints{};
  std::size_t count = 0;
  for (const ByteView bytes : encoded) {
    const auto identity = identity_of(bytes);
    if (!identity) continue;
    hints[count] = &by_identity_[place(identity->high, identity->low, identity->incarnation)];
    prefetch_line(hints[count++]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (*hints[i] == kNoHandle) continue;
    directory_.prefetch(*hints[i]);
    prefetch_line(&entries_[index(*hints[i]) & mask_]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Entry& entry = entries_[index(*hints[i]) & mask_];
    if (entry.peer == *hints[i]) prefetch_lines(entry.bytes.get(), entry.size);
  }
}

// The encodings that are there stay where they are.
void PeerCodec::grow() {
  std::vector<Entry> before(std::exchange(entries_, {}));
  mask_ = 2 * before.size() - 1;
  entries_.resize(mask_ + 1);
  by_identity_.assign(kPlacesPerEntry * entries_.size(), kNoHandle);
  for (Entry& entry : before) {
    if (entry.peer == kNoHandle) continue;
    slot(directory_.id(entry.peer).high(), directory_.id(entry.peer).low(),
         directory_.incarnation(entry.peer)) = entry.peer;
    entries_[index(entry.peer) & mask_] = std::move(entry);
  }
}

Result<ByteView> PeerCodec::encode(Handle peer) {
  if (const Entry& known = entries_[index(peer) & mask_]; known.peer == peer)
    return ByteView(known.bytes.get(), known.size);
  if (!directory_.valid(peer)) return fail(ErrorCode::invalid, "peer: not a valid handle");
  if (grows_ && directory_.size() > entries_.size() && entries_.size() < kCacheEntriesMax) grow();
  Entry& entry = entries_[index(peer) & mask_];
  auto built = build(peer);
  if (!built || built->size() > kCachedBytesMax) return built;
  if (!entry.bytes || entry.size != built->size()) {
    entry.bytes = std::make_unique<std::uint8_t[]>(built->size());
    entry.size = static_cast<std::uint32_t>(built->size());
  }
  entry.peer = peer;
  std::memcpy(entry.bytes.get(), built->data(), built->size());
  return ByteView(entry.bytes.get(), entry.size);
}

Result<ByteView> PeerCodec::build(Handle peer) {
  // First half: zeroes, to build in (the builder clears what it used). Second half: the result.
  constexpr std::size_t kHalf = kPeerBytesMax / kWordBytes;
  kj::ArrayPtr<capnp::word> space = scratch_.words(2 * kHalf);
  const HostInfo& host = directory_.host(peer);
  const ByteView signature = directory_.signature(peer);
  if (signature.size() > kSignatureBytesMax)
    return fail(ErrorCode::too_large, "peer.signature: over 128 bytes");

  capnp::MallocMessageBuilder message(space.slice(0, kHalf));
  auto out = message.initRoot<schema::Peer>();
  out.setIdHigh(directory_.id(peer).high());
  out.setIdLow(directory_.id(peer).low());
  out.setIncarnation(directory_.incarnation(peer));
  if (auto written = write_host(host, init_host(out, host)); !written)
    return tl::unexpected<Error>(std::move(written.error()));
  if (!signature.empty()) out.setSignature(as_data(signature));
  const auto segments = message.getSegmentsForOutput();
  if (segments.size() != 1) return fail(ErrorCode::too_large, "peer: over 2048 bytes");

  const auto bytes = segments[0].asBytes();
  auto* const result = reinterpret_cast<std::uint8_t*>(space.begin() + kHalf);
  std::memcpy(result, bytes.begin(), bytes.size());
  return ByteView(result, bytes.size());
}

Handle PeerCodec::cached(ByteView bytes) {
  const auto identity = identity_of(bytes);
  if (!identity) return kNoHandle;
  const Handle peer = known(NodeId(identity->high, identity->low), identity->incarnation);
  if (peer == kNoHandle) return kNoHandle;
  const auto seen = encode(peer);
  if (!seen || seen->size() != bytes.size() ||
      std::memcmp(seen->data(), bytes.data(), bytes.size()) != 0)
    return kNoHandle;
  directory_.mark(peer);  // as intern() does
  return peer;
}

Result<Handle> PeerCodec::decode(ByteView bytes) {
  if (bytes.size() > kPeerBytesMax) return fail(ErrorCode::too_large, "peer: over 2048 bytes");
  if (bytes.size() % kWordBytes != 0 || bytes.size() < 4 * kWordBytes)
    return fail(ErrorCode::invalid, "peer: not a message");
  if (const Handle peer = cached(bytes); peer != kNoHandle) return peer;
  auto peer = parse(bytes);
  // Of several descriptions of one incarnation the one seen last is found quickly.
  if (peer)
    slot(directory_.id(*peer).high(), directory_.id(*peer).low(), directory_.incarnation(*peer)) =
        *peer;
  return peer;
}

Result<Handle> PeerCodec::parse(ByteView bytes) {
  const std::size_t words = bytes.size() / kWordBytes;
  const kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word*>(bytes.data()),
                                                words);
  capnp::SegmentArrayMessageReader message(kj::arrayPtr(&segment, 1), reader_options(words));
  const auto in = message.getRoot<schema::Peer>();
  const auto signature = as_view(in.getSignature());
  if (signature.size() > kSignatureBytesMax)
    return fail(ErrorCode::too_large, "peer.signature: over 128 bytes");
  auto host = read_host(in.getHost());
  if (!host) return tl::unexpected<Error>(std::move(host.error()));

  PeerInfo peer;
  peer.id = NodeId(in.getIdHigh(), in.getIdLow());
  peer.incarnation = in.getIncarnation();
  peer.host = std::move(*host);
  peer.signature.assign(signature.begin(), signature.end());
  return admit(peer);
}

Result<Handle> PeerCodec::admit(const PeerInfo& peer) {
  const Handle newest = directory_.find(peer.id);
  if (newest != kNoHandle && directory_.incarnation(newest) == peer.incarnation &&
      directory_.host(newest) == peer.host &&
      std::ranges::equal(directory_.signature(newest), peer.signature))
    return newest;

  ++verified_;
  if (auto verified = verifier_.verify(peer); !verified)
    return fail(verified.error().code, "peer " + peer.id.hex() + ": " + verified.error().message);
  const Handle handle = directory_.intern(peer);
  if (handle == kNoHandle) return fail(ErrorCode::full, "peer: the directory is full");
  return handle;
}

Handle PeerCodec::known(const NodeId& id, std::uint64_t incarnation) {
  Handle& hint = slot(id.high(), id.low(), incarnation);
  if (hint != kNoHandle && directory_.valid(hint) && directory_.id(hint) == id &&
      directory_.incarnation(hint) == incarnation)
    return hint;
  const Handle known = directory_.find(id, incarnation);
  if (known != kNoHandle) hint = known;
  return known;
}

}  // namespace pastry::wire
