// Writing and reading the body of an Envelope. Internal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pastry/core/message.h"
#include "pastry/wire/peer_codec.h"
#include "pastry/wire/schema.h"

namespace pastry::wire {

// Bounds that depend on b.
struct Geometry {
  std::size_t rows = 32;
  std::size_t entries = 16;
};

// The first thing that was wrong; later ones do not replace it.
class FirstError {
 public:
  bool any() const { return error_.has_value(); }
  void set(ErrorCode code, std::string message) {
    if (!error_) error_ = Error{code, std::move(message)};
  }
  Error take() { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

// Writes one message's body; check failed() afterwards, what was written then is worthless.
class BodyWriter {
 public:
  BodyWriter(PeerCodec& peers, const Geometry& geometry, Handle sender)
      : peers_(peers), geometry_(geometry), sender_(sender) {}

  void write(const Message& message, schema::Envelope::Builder out);
  // Empty for kNoHandle if `optional`.
  ByteView peer(Handle peer, const char* field, bool optional = false);

  FirstError error;

 private:
  void write(const Routed& message, schema::Envelope::Builder out);
  void write(const HopAck& message, schema::Envelope::Builder out);
  void write(const Outcome& message, schema::Envelope::Builder out);
  void write(const JoinRequest& message, schema::Envelope::Builder out);
  void write(const JoinTransfer& message, schema::Envelope::Builder out);
  void write(const GapReserve& message, schema::Envelope::Builder out);
  void write(const GapReserveReply& message, schema::Envelope::Builder out);
  void write(const JoinGrant& message, schema::Envelope::Builder out);
  void write(const JoinReport& message, schema::Envelope::Builder out);
  void write(const GapRelease& message, schema::Envelope::Builder out);
  void write(const JoinRefused& message, schema::Envelope::Builder out);
  void write(const LeafProbe& message, schema::Envelope::Builder out);
  void write(const Lease& message, schema::Envelope::Builder out);
  void write(const Ping& message, schema::Envelope::Builder out);
  void write(const Pong& message, schema::Envelope::Builder out);
  void write(const RowRequest& message, schema::Envelope::Builder out);
  void write(const RowReply& message, schema::Envelope::Builder out);
  void write(const NeighbourhoodRequest& message, schema::Envelope::Builder out);
  void write(const NeighbourhoodReply& message, schema::Envelope::Builder out);
  void write(const Announce& message, schema::Envelope::Builder out);
  void write(const Leave& message, schema::Envelope::Builder out);
  void write(const Direct& message, schema::Envelope::Builder out);
  void write(const Seek& message, schema::Envelope::Builder out);
  void write(const Relay& message, schema::Envelope::Builder out);

  bool fits(std::size_t size, std::size_t max, const char* field);
  std::uint32_t payload_size(const Payload& payload, const char* field);
  void request(const JoinRequest& request, schema::JoinRequest::Builder out);
  template <typename Init>
  void located(const std::vector<Located>& list, std::size_t max, const char* field, Init&& init);
  void row(const Row& row, schema::Row::Builder out);
  // Calls init(count) for the list if there is anything to write.
  template <typename Init>
  void peers(const std::vector<Handle>& list, std::size_t max, const char* field, Init&& init);
  template <typename Init>
  void rows(const std::vector<Row>& list, Init&& init);

  PeerCodec& peers_;
  const Geometry& geometry_;
  Handle sender_;
  std::size_t mentioned_ = 0;
};

// Reads one message's body; check failed() afterwards. May throw kj::Exception.
class BodyReader {
 public:
  BodyReader(PeerCodec& peers, const Geometry& geometry, Handle sender)
      : peers_(peers), geometry_(geometry), sender_(sender) {}

  Message read(schema::Envelope::Reader in, Payload payload);

  FirstError error;

 private:
  Routed routed(schema::Routed::Reader in, Payload payload);
  HopAck hop_ack(schema::HopAck::Reader in);
  Outcome outcome(schema::Outcome::Reader in);
  JoinRequest request(schema::JoinRequest::Reader in);
  JoinGrant join_grant(schema::JoinGrant::Reader in);
  JoinRefused join_refused(schema::JoinRefused::Reader in);
  Announce announce(schema::Announce::Reader in);
  LeafProbe leaf_probe(schema::LeafProbe::Reader in);
  Lease lease(schema::Lease::Reader in);
  Direct direct(schema::Direct::Reader in, Payload payload);
  Seek seek(schema::Seek::Reader in);
  Relay relay(schema::Relay::Reader in, Payload payload);

  bool fits(std::size_t size, std::size_t max, const char* field);
  std::uint16_t hops(std::uint16_t hops, const char* field);
  void payload_size(std::uint32_t size, const Payload& payload, const char* field);
  Handle peer(capnp::Data::Reader in, const char* field, bool optional = false);
  Handle peer(ByteView in, const char* field, bool optional = false);
  template <typename At, typename Take>
  void each_peer(unsigned count, const char* field, At&& at, Take&& take);
  std::vector<Handle> peers(capnp::List<capnp::Data>::Reader in, std::size_t max,
                            const char* field);
  std::vector<Located> located(capnp::List<schema::Located>::Reader in, std::size_t max,
                               const char* field);
  Row row(schema::Row::Reader in);
  std::vector<Row> rows(capnp::List<schema::Row>::Reader in, const char* field);

  PeerCodec& peers_;
  const Geometry& geometry_;
  Handle sender_;
  std::size_t mentioned_ = 0;
};

}  // namespace pastry::wire
