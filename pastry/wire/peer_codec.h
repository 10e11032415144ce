// Peers and processes <-> their encoding, with a cache of those seen lately. Internal.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/error.h"
#include "pastry/core/verifier.h"
#include "pastry/wire/schema.h"
#include "pastry/wire/segment.h"

namespace pastry::wire {

// Where `host` goes in a Peer, as long as it needs to be: a location is the last part of a Host,
// and most have none.
schema::Host::Builder init_host(schema::Peer::Builder peer, const HostInfo& host);

// Result names the field that is out of bounds. `out` must have room for a location if the host has
// one.
Result<void> write_host(const HostInfo& host, schema::Host::Builder out);
Result<HostInfo> read_host(schema::Host::Reader in);

// Whether `text` is printable ASCII of at most `max` bytes.
bool printable(std::string_view text, std::size_t max);

inline kj::ArrayPtr<const kj::byte> as_data(ByteView bytes) { return {bytes.data(), bytes.size()}; }
inline ByteView as_view(kj::ArrayPtr<const kj::byte> data) { return {data.begin(), data.size()}; }
inline kj::StringPtr as_text(const std::string& text) { return {text.c_str(), text.size()}; }
inline std::string_view as_view(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

class PeerCodec {
 public:
  // `cache_grows`: with the directory, beyond `cache_entries`.
  PeerCodec(Directory& directory, const Verifier& verifier, std::size_t cache_entries,
            bool cache_grows);

  // To be called before the first use in a message: forgets the cache if the directory has
  // forgotten peers since. True if it did.
  bool refresh();

  // The encoding of `peer`, valid until the next call. Error: invalid.
  Result<ByteView> encode(Handle peer);

  // The handle of an encoded peer; verifies and interns one not seen before. May throw
  // kj::Exception if the bytes are malformed.
  Result<Handle> decode(ByteView bytes);

  // Brings what encode() or decode() of these needs into the cache: where very many peers are known
  // each would wait for memory several times. At most kTogether count.
  static constexpr std::size_t kTogether = 32;
  void prefetch(std::span<const Handle> peers) const;
  void prefetch(std::span<const ByteView> encoded) const;

  // The same for a peer seen before, or kNoHandle; never throws, needs no alignment.
  Handle cached(ByteView bytes);

  // The handle of a peer that was described before, or kNoHandle.
  Handle known(const NodeId& id, std::uint64_t incarnation);

  std::uint64_t verified() const { return verified_; }

 private:
  struct Entry {
    Handle peer = kNoHandle;
    std::uint32_t size = 0;
    std::unique_ptr<std::uint8_t[]> bytes;  // exactly `size`: every known peer may have one
  };

  void grow();
  Result<ByteView> build(Handle peer);
  Result<Handle> parse(ByteView bytes);
  Result<Handle> admit(const PeerInfo& peer);
  bool large() const;
  std::size_t place(std::uint64_t high, std::uint64_t low, std::uint64_t incarnation) const;
  Handle& slot(std::uint64_t high, std::uint64_t low, std::uint64_t incarnation);

  Directory& directory_;
  const Verifier& verifier_;
  std::uint64_t generation_;
  std::size_t mask_;
  bool grows_;
  // Encodings, at the place that the handle's index gives.
  std::vector<Entry> entries_;
  // Handles, at the place that id and incarnation give: a hint, checked on use.
  std::vector<Handle> by_identity_;
  WordBuffer scratch_;
  std::uint64_t verified_ = 0;
};

}  // namespace pastry::wire
