// Admission: the first thing two processes say to each other (hello.capnp).
//
// A process says Hello on the admission socket of another; the answer comes back on the same
// connection. Descriptions in them are claims: the host verifies each (Verifier) before it interns
// it. Both have a layout that stays readable over protocol versions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/error.h"
#include "pastry/wire/limits.h"

namespace pastry::wire {

// Random bytes that the other side has to return, later: to sign.
using Challenge = std::array<std::uint8_t, kChallengeBytes>;

// A node of the process that speaks; its PeerInfo is this and the process's HostInfo.
struct HelloNode {
  NodeId id;
  std::uint64_t incarnation = 0;
  Bytes signature;

  friend bool operator==(const HelloNode&, const HelloNode&) = default;
};

struct VersionRange {
  std::uint16_t min = kProtocolVersion;
  std::uint16_t max = kProtocolVersion;
  friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

// What all nodes of an overlay have in common (Config::leaf_set, digit_bits, lease,
// heartbeat_period).
struct RingParameters {
  std::uint16_t leaf_set = 32;          // l: even, 2…128
  std::uint8_t digit_bits = 4;          // b: 1…8
  std::uint32_t lease_ms = 15'000;      // 1…86,400,000
  std::uint32_t heartbeat_ms = 30'000;  // the same
  friend bool operator==(const RingParameters&, const RingParameters&) = default;
};

struct Hello {
  std::string overlay;
  RingParameters ring;
  VersionRange versions;
  std::uint64_t features = 0;  // bits that both sides set are in use; none is defined yet
  HostInfo host;
  std::vector<HelloNode> nodes;  // may be empty: a process whose nodes are not made yet
  Challenge challenge{};
  Bytes proof;  // answers the other side's challenge; empty until identity exists

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct HelloAccepted {
  std::uint16_t version = kProtocolVersion;  // the one to use
  std::uint64_t features = 0;                // those in use
  HostInfo host;
  std::vector<HelloNode> nodes;
  Challenge echo{};       // the Hello's challenge
  Challenge challenge{};  // the other way round
  Bytes proof;

  friend bool operator==(const HelloAccepted&, const HelloAccepted&) = default;
};

enum class HelloRefusal : std::uint8_t {
  malformed = 0,
  wrong_overlay = 1,
  incompatible_version = 2,
  not_loopback = 3,  // without identity only loopback addresses are let in
  unverified = 4,    // signature, certificate or proof do not hold
  full = 5,          // no room for another process; try later
  stopping = 6,
  other_parameters = 7,  // of other RingParameters
};
std::string_view name(HelloRefusal reason);

struct HelloRefused {
  HelloRefusal reason = HelloRefusal::malformed;
  std::string detail;  // one line for people
  VersionRange versions;
  Challenge echo{};

  friend bool operator==(const HelloRefused&, const HelloRefused&) = default;
};

using HelloReply = std::variant<HelloAccepted, HelloRefused>;

// Errors: too_large, invalid.
Result<Bytes> encode(const Hello& hello);
Result<Bytes> encode(const HelloReply& reply);

// Errors: incompatible (not a Hello of this protocol), invalid, too_large; the message names the
// field.
Result<Hello> decode_hello(ByteView frame);
Result<HelloReply> decode_hello_reply(ByteView frame);

// The highest version both sides speak. Error: incompatible.
Result<std::uint16_t> common_version(const VersionRange& ours, const VersionRange& theirs);

// The full description of a node that a Hello lists.
PeerInfo peer_info(const HostInfo& host, const HelloNode& node);

}  // namespace pastry::wire
