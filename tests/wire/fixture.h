// Peers and messages with random contents, for the tests and benchmarks of the codec.
#pragma once

#include <string>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/message.h"
#include "pastry/core/random.h"
#include "pastry/core/verifier.h"
#include "pastry/wire/codec.h"

namespace pastry::wire {

// Lets everybody in, and counts.
class OpenVerifier final : public Verifier {
 public:
  Result<void> verify(const PeerInfo&) const override {
    ++calls;
    return {};
  }
  mutable int calls = 0;
};

inline std::string random_text(Random& random, std::size_t max) {
  std::string text(random.below(max + 1), ' ');
  for (char& c : text) c = static_cast<char>(' ' + random.below(95));
  return text;
}

inline Bytes random_bytes(Random& random, std::size_t max) {
  Bytes bytes(random.below(max + 1));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  return bytes;
}

inline std::string random_address(Random& random) {
  const std::string port = ":" + std::to_string(1 + random.below(65535));
  switch (random.below(3)) {
    case 0:
      return "tcp://127.0." + std::to_string(random.below(256)) + ".1" + port;
    case 1:
      return "tcp://[::1]" + port;
    default:
      return "tcp://node-" + std::to_string(random.below(1000)) + ".example.org" + port;
  }
}

inline PeerInfo random_peer(Random& random) {
  PeerInfo peer;
  peer.id = random.id();
  peer.incarnation = random.next() >> random.below(64);
  for (auto& byte : peer.host.transport_key.bytes) byte = static_cast<std::uint8_t>(random.next());
  for (std::uint64_t i = random.below(kAddressesMax + 1); i > 0; --i)
    peer.host.addresses.push_back(random_address(random));
  if (random.below(2) == 0) peer.host.domain = random_text(random, kDomainBytesMax);
  if (random.below(2) == 0) {
    const double latitude = static_cast<double>(random.below(181)) - 90;
    peer.host.location = proximity::Location({latitude, static_cast<double>(random.below(181))});
  }
  if (random.below(2) == 0) peer.signature = random_bytes(random, kSignatureBytesMax);
  return peer;
}

// A peer as it is found in a cluster on one machine.
inline PeerInfo plain_peer(Random& random) {
  PeerInfo peer;
  peer.id = random.id();
  peer.incarnation = 1;
  for (auto& byte : peer.host.transport_key.bytes) byte = static_cast<std::uint8_t>(random.next());
  peer.host.addresses.push_back("tcp://127.0.0.1:" + std::to_string(1024 + random.below(60000)));
  return peer;
}

// Random messages over the peers of one directory.
class MessageSource {
 public:
  // No list will have more than `longest` entries.
  MessageSource(Random& random, std::vector<Handle> peers, std::size_t longest = SIZE_MAX)
      : random_(random), peers_(std::move(peers)), longest_(longest) {}

  Handle peer() { return peers_[random_.below(peers_.size())]; }
  // A message of the kind with this index in the Message variant.
  Message message(std::size_t kind);

 private:
  std::vector<Handle> some(std::size_t max);
  Proximity distance();
  std::vector<Located> located(std::size_t max);
  std::vector<Row> rows();
  Row row();
  Handle maybe() { return flag() ? peer() : kNoHandle; }
  bool flag() { return random_.below(2) == 0; }
  std::uint32_t number() { return static_cast<std::uint32_t>(random_.next()); }
  std::uint16_t hops() { return static_cast<std::uint16_t>(random_.below(kHopsMax + 1)); }
  Payload payload() { return Payload(random_bytes(random_, 300)); }
  Routed routed();
  JoinRequest join_request();
  Lease lease();

  Random& random_;
  std::vector<Handle> peers_;
  std::size_t longest_;
};

// `message` in a form that can be compared: peers in full, numbers as text.
std::string describe(const Directory& directory, const Message& message);

}  // namespace pastry::wire
