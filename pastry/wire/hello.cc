#include "pastry/wire/hello.h"

#include <algorithm>

#include "pastry/wire/peer_codec.h"
#include "pastry/wire/schema.h"
#include "pastry/wire/segment.h"

namespace pastry::wire {
namespace {

using Nodes = capnp::List<schema::Hello::Node>;

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::invalid, std::move(message));
}

Result<Bytes> to_frame(capnp::MallocMessageBuilder& message, std::size_t upper_bound) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  if (message.getSegmentsForOutput().size() != 1 || bytes.size() > upper_bound)
    return fail(ErrorCode::too_large, "hello: over 256 KiB");
  return Bytes(bytes.begin(), bytes.end());
}

// Memory for one segment, whatever the bounds below allow.
constexpr unsigned kSegmentWords = kHelloBytesMax / kWordBytes;

Result<void> check_nodes(const std::vector<HelloNode>& nodes) {
  if (nodes.size() > kHelloNodesMax) return fail(ErrorCode::too_large, "nodes: over 1024");
  const auto long_signature = [](const HelloNode& node) {
    return node.signature.size() > kSignatureBytesMax;
  };
  if (std::any_of(nodes.begin(), nodes.end(), long_signature))
    return fail(ErrorCode::too_large, "nodes.signature: over 128 bytes");
  return {};
}

void write_nodes(const std::vector<HelloNode>& nodes, Nodes::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i) {
    out[i].setIdHigh(nodes[i].id.high());
    out[i].setIdLow(nodes[i].id.low());
    out[i].setIncarnation(nodes[i].incarnation);
    if (!nodes[i].signature.empty()) out[i].setSignature(as_data(nodes[i].signature));
  }
}

Result<std::vector<HelloNode>> read_nodes(Nodes::Reader in) {
  if (in.size() > kHelloNodesMax) return fail(ErrorCode::too_large, "nodes: over 1024");
  std::vector<HelloNode> nodes;
  nodes.reserve(in.size());
  for (const auto entry : in) {
    const auto signature = as_view(entry.getSignature());
    if (signature.size() > kSignatureBytesMax)
      return fail(ErrorCode::too_large, "nodes.signature: over 128 bytes");
    nodes.push_back({NodeId(entry.getIdHigh(), entry.getIdLow()), entry.getIncarnation(),
                     Bytes(signature.begin(), signature.end())});
  }
  return nodes;
}

bool read_challenge(capnp::Data::Reader in, Challenge& out) {
  if (in.size() != out.size()) return false;
  std::copy(in.begin(), in.end(), out.begin());
  return true;
}

Result<void> check_proof(std::size_t size) {
  if (size > kProofBytesMax) return fail(ErrorCode::too_large, "proof: over 256 bytes");
  return {};
}

bool valid_overlay(std::string_view overlay) {
  return !overlay.empty() && printable(overlay, kOverlayNameBytesMax);
}

bool valid(const RingParameters& ring) {
  return ring.leaf_set >= 2 && ring.leaf_set <= kLeafSetMax && ring.leaf_set % 2 == 0 &&
         ring.digit_bits >= 1 && ring.digit_bits <= 8 && ring.lease_ms >= 1 &&
         ring.lease_ms <= kPeriodMsMax && ring.heartbeat_ms >= 1 &&
         ring.heartbeat_ms <= kPeriodMsMax;
}

bool valid(const VersionRange& versions) { return versions.min <= versions.max; }

Result<void> write(const HelloAccepted& accepted, schema::HelloReply::Builder out) {
  if (auto checked = check_nodes(accepted.nodes); !checked) return checked;
  if (auto checked = check_proof(accepted.proof.size()); !checked) return checked;
  out.setMinVersion(accepted.version);
  out.setMaxVersion(accepted.version);
  out.setFeatures(accepted.features);
  out.setEcho(as_data(accepted.echo));
  auto body = out.initAccepted();
  if (auto written = write_host(accepted.host, body.initHost()); !written) return written;
  write_nodes(accepted.nodes, body.initNodes(static_cast<unsigned>(accepted.nodes.size())));
  body.setChallenge(as_data(accepted.challenge));
  if (!accepted.proof.empty()) body.setProof(as_data(accepted.proof));
  return {};
}

Result<void> write(const HelloRefused& refused, schema::HelloReply::Builder out) {
  if (!printable(refused.detail, kReasonBytesMax))
    return invalid("detail: over 256 bytes or not printable");
  if (!valid(refused.versions)) return invalid("versions: min over max");
  out.setMinVersion(refused.versions.min);
  out.setMaxVersion(refused.versions.max);
  out.setEcho(as_data(refused.echo));
  auto body = out.initRefused();
  body.setReason(static_cast<schema::HelloReply::Reason>(refused.reason));
  body.setDetail(as_text(refused.detail));
  return {};
}

Result<HelloReply> read_accepted(schema::HelloReply::Reader in) {
  HelloAccepted accepted;
  const auto body = in.getAccepted();
  if (in.getMinVersion() != in.getMaxVersion()) return invalid("version: not one");
  accepted.version = in.getMinVersion();
  accepted.features = in.getFeatures();
  auto host = read_host(body.getHost());
  if (!host) return tl::unexpected<Error>(std::move(host.error()));
  accepted.host = std::move(*host);
  auto nodes = read_nodes(body.getNodes());
  if (!nodes) return tl::unexpected<Error>(std::move(nodes.error()));
  accepted.nodes = std::move(*nodes);
  if (!read_challenge(in.getEcho(), accepted.echo)) return invalid("echo: not 32 bytes");
  if (!read_challenge(body.getChallenge(), accepted.challenge))
    return invalid("challenge: not 32 bytes");
  const auto proof = as_view(body.getProof());
  if (auto checked = check_proof(proof.size()); !checked)
    return tl::unexpected<Error>(checked.error());
  accepted.proof.assign(proof.begin(), proof.end());
  return accepted;
}

Result<HelloReply> read_refused(schema::HelloReply::Reader in) {
  HelloRefused refused;
  const auto reason = static_cast<std::uint16_t>(in.getRefused().getReason());
  if (reason > static_cast<std::uint16_t>(HelloRefusal::other_parameters))
    return fail(ErrorCode::incompatible, "reason: " + std::to_string(reason) + " is unknown");
  refused.reason = static_cast<HelloRefusal>(reason);
  const auto detail = as_view(in.getRefused().getDetail());
  if (!printable(detail, kReasonBytesMax))
    return invalid("detail: over 256 bytes or not printable");
  refused.detail = detail;
  refused.versions = {in.getMinVersion(), in.getMaxVersion()};
  if (!valid(refused.versions)) return invalid("versions: min over max");
  if (!read_challenge(in.getEcho(), refused.echo)) return invalid("echo: not 32 bytes");
  return refused;
}

Result<Hello> read_hello(schema::Hello::Reader in) {
  if (in.getMagic() != schema::HELLO_MAGIC)
    return fail(ErrorCode::incompatible, "hello: not of this protocol");
  Hello hello;
  hello.versions = {in.getMinVersion(), in.getMaxVersion()};
  if (!valid(hello.versions)) return invalid("versions: min over max");
  hello.features = in.getFeatures();
  const auto overlay = as_view(in.getOverlay());
  if (!valid_overlay(overlay)) return invalid("overlay: not 1 to 64 printable characters");
  hello.overlay = overlay;
  hello.ring = {in.getLeafSet(), in.getDigitBits(), in.getLeaseMs(), in.getHeartbeatMs()};
  if (!valid(hello.ring))
    return invalid("leafSet, digitBits, leaseMs, heartbeatMs: not those of a ring");
  auto host = read_host(in.getHost());
  if (!host) return tl::unexpected<Error>(std::move(host.error()));
  hello.host = std::move(*host);
  auto nodes = read_nodes(in.getNodes());
  if (!nodes) return tl::unexpected<Error>(std::move(nodes.error()));
  hello.nodes = std::move(*nodes);
  if (!read_challenge(in.getChallenge(), hello.challenge))
    return invalid("challenge: not 32 bytes");
  const auto proof = as_view(in.getProof());
  if (auto checked = check_proof(proof.size()); !checked)
    return tl::unexpected<Error>(checked.error());
  hello.proof.assign(proof.begin(), proof.end());
  return hello;
}

Result<HelloReply> read_reply(schema::HelloReply::Reader in) {
  if (in.getMagic() != schema::HELLO_MAGIC)
    return fail(ErrorCode::incompatible, "hello: not of this protocol");
  switch (in.which()) {
    case schema::HelloReply::ACCEPTED:
      return read_accepted(in);
    case schema::HelloReply::REFUSED:
      return read_refused(in);
  }
  return fail(ErrorCode::incompatible, "hello: unknown kind of reply");
}

// Calls read(root) on a frame that holds one message with the root `Root`.
template <typename Value, typename Root, typename Read>
Result<Value> from_frame(ByteView frame, Read&& read) {
  if (frame.size() > kHelloBytesMax) return fail(ErrorCode::too_large, "hello: over 256 KiB");
  const auto message = first_message(frame);
  if (!message) return tl::unexpected<Error>(message.error());
  if (message->size() != frame.size()) return invalid("frame: bytes after the message");
  const WithoutStackTraces quiet;
  try {
    WordBuffer buffer;
    const auto segment = buffer.copy(frame.subspan(kTableBytes));
    capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1),
                                            reader_options(segment.size()));
    return read(reader.template getRoot<Root>());
  } catch (const kj::Exception& exception) {
    return malformed("hello", exception);
  }
}

}  // namespace

std::string_view name(HelloRefusal reason) {
  switch (reason) {
    case HelloRefusal::malformed:
      return "malformed hello";
    case HelloRefusal::wrong_overlay:
      return "another overlay";
    case HelloRefusal::incompatible_version:
      return "no common protocol version";
    case HelloRefusal::not_loopback:
      return "only loopback addresses are let in without identities";
    case HelloRefusal::unverified:
      return "identity not verified";
    case HelloRefusal::full:
      return "no room for another process";
    case HelloRefusal::stopping:
      return "stopping";
    case HelloRefusal::other_parameters:
      return "other parameters";
  }
  return "unknown";
}

Result<Bytes> encode(const Hello& hello) {
  if (!valid_overlay(hello.overlay)) return invalid("overlay: not 1 to 64 printable characters");
  if (!valid(hello.versions)) return invalid("versions: min over max");
  if (!valid(hello.ring))
    return invalid("leafSet, digitBits, leaseMs, heartbeatMs: not those of a ring");
  if (auto checked = check_nodes(hello.nodes); !checked)
    return tl::unexpected<Error>(checked.error());
  if (auto checked = check_proof(hello.proof.size()); !checked)
    return tl::unexpected<Error>(checked.error());
  const WithoutStackTraces quiet;
  try {
    capnp::MallocMessageBuilder message(kSegmentWords, capnp::AllocationStrategy::FIXED_SIZE);
    auto out = message.initRoot<schema::Hello>();
    out.setMagic(schema::HELLO_MAGIC);
    out.setMinVersion(hello.versions.min);
    out.setMaxVersion(hello.versions.max);
    out.setFeatures(hello.features);
    out.setOverlay(as_text(hello.overlay));
    out.setLeafSet(hello.ring.leaf_set);
    out.setDigitBits(hello.ring.digit_bits);
    out.setLeaseMs(hello.ring.lease_ms);
    out.setHeartbeatMs(hello.ring.heartbeat_ms);
    if (auto written = write_host(hello.host, out.initHost()); !written)
      return tl::unexpected<Error>(std::move(written.error()));
    write_nodes(hello.nodes, out.initNodes(static_cast<unsigned>(hello.nodes.size())));
    out.setChallenge(as_data(hello.challenge));
    if (!hello.proof.empty()) out.setProof(as_data(hello.proof));
    return to_frame(message, kHelloBytesMax);
  } catch (const kj::Exception& exception) {
    return malformed("hello", exception);
  }
}

Result<Bytes> encode(const HelloReply& reply) {
  const WithoutStackTraces quiet;
  try {
    capnp::MallocMessageBuilder message(kSegmentWords, capnp::AllocationStrategy::FIXED_SIZE);
    auto out = message.initRoot<schema::HelloReply>();
    out.setMagic(schema::HELLO_MAGIC);
    const auto written = std::visit([&](const auto& body) { return write(body, out); }, reply);
    if (!written) return tl::unexpected<Error>(written.error());
    return to_frame(message, kHelloBytesMax);
  } catch (const kj::Exception& exception) {
    return malformed("hello", exception);
  }
}

Result<Hello> decode_hello(ByteView frame) {
  return from_frame<Hello, schema::Hello>(frame, read_hello);
}

Result<HelloReply> decode_hello_reply(ByteView frame) {
  return from_frame<HelloReply, schema::HelloReply>(frame, read_reply);
}

Result<std::uint16_t> common_version(const VersionRange& ours, const VersionRange& theirs) {
  const std::uint16_t highest = std::min(ours.max, theirs.max);
  if (highest >= ours.min && highest >= theirs.min) return highest;
  const auto range = [](const VersionRange& versions) {
    return std::to_string(versions.min) + " to " + std::to_string(versions.max);
  };
  return fail(ErrorCode::incompatible, "protocol versions: here " + range(ours) + ", there " +
                                           range(theirs) + "; update the older side");
}

PeerInfo peer_info(const HostInfo& host, const HelloNode& node) {
  return {node.id, node.incarnation, host, node.signature};
}

}  // namespace pastry::wire
