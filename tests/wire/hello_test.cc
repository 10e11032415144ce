#include "pastry/wire/hello.h"

#include <doctest/doctest.h>

#include "tests/wire/raw.h"

namespace pastry::wire {
namespace {

Challenge random_challenge(Random& random) {
  Challenge challenge;
  for (auto& byte : challenge) byte = static_cast<std::uint8_t>(random.next());
  return challenge;
}

std::vector<HelloNode> random_nodes(Random& random) {
  std::vector<HelloNode> nodes(random.below(20));
  for (auto& node : nodes)
    node = {random.id(), random.next(), random_bytes(random, kSignatureBytesMax)};
  return nodes;
}

Hello random_hello(Random& random) {
  Hello hello;
  hello.overlay = "o" + random_text(random, kOverlayNameBytesMax - 1);
  hello.versions = {static_cast<std::uint16_t>(random.below(100)),
                    static_cast<std::uint16_t>(100 + random.below(100))};
  hello.features = random.next();
  hello.ring = {static_cast<std::uint16_t>(2 + 2 * random.below(64)),
                static_cast<std::uint8_t>(1 + random.below(8)),
                static_cast<std::uint32_t>(1 + random.below(kPeriodMsMax)),
                static_cast<std::uint32_t>(1 + random.below(kPeriodMsMax))};
  hello.host = random_peer(random).host;
  hello.nodes = random_nodes(random);
  hello.challenge = random_challenge(random);
  hello.proof = random_bytes(random, kProofBytesMax);
  return hello;
}

HelloReply random_reply(Random& random) {
  if (random.below(2) == 0)
    return HelloRefused{static_cast<HelloRefusal>(random.below(8)),
                        random_text(random, kReasonBytesMax),
                        {1, static_cast<std::uint16_t>(1 + random.below(9))},
                        random_challenge(random)};
  return HelloAccepted{static_cast<std::uint16_t>(random.next()),
                       random.next(),
                       random_peer(random).host,
                       random_nodes(random),
                       random_challenge(random),
                       random_challenge(random),
                       random_bytes(random, kProofBytesMax)};
}

TEST_CASE("hello and its replies survive the way") {
  Random random(11);
  for (int i = 0; i < 500; ++i) {
    const Hello hello = random_hello(random);
    const auto frame = encode(hello);
    REQUIRE(frame);
    const auto read = decode_hello(*frame);
    REQUIRE_MESSAGE(read.has_value(), read.error().message);
    CHECK(*read == hello);

    const HelloReply reply = random_reply(random);
    const auto reply_frame = encode(reply);
    REQUIRE(reply_frame);
    const auto reply_read = decode_hello_reply(*reply_frame);
    REQUIRE_MESSAGE(reply_read.has_value(), reply_read.error().message);
    CHECK(*reply_read == reply);
  }
}

TEST_CASE("hello: versions") {
  CHECK(common_version({1, 3}, {2, 5}).value() == 3);
  CHECK(common_version({1, 1}, {1, 1}).value() == 1);
  const auto none = common_version({1, 2}, {3, 4});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::incompatible);
  CHECK_FALSE(common_version({3, 4}, {1, 2}));
}

template <typename Fill>
std::string answer(Fill&& fill) {
  capnp::MallocMessageBuilder message(1 << 16);
  auto out = message.initRoot<schema::Hello>();
  out.setMagic(schema::HELLO_MAGIC);
  out.setOverlay("overlay");
  out.setMinVersion(1);
  out.setMaxVersion(1);
  out.setLeafSet(32);
  out.setDigitBits(4);
  out.setLeaseMs(15'000);
  out.setHeartbeatMs(30'000);
  out.initHost();
  out.setChallenge(data(Bytes(kChallengeBytes)));
  fill(out);
  const auto hello = decode_hello(flat(message));
  return hello ? "" : hello.error().message;
}

template <typename Fill>
std::string reply(Fill&& fill) {
  capnp::MallocMessageBuilder message(1 << 16);
  auto out = message.initRoot<schema::HelloReply>();
  out.setMagic(schema::HELLO_MAGIC);
  out.setEcho(data(Bytes(kChallengeBytes)));
  fill(out);
  const auto read = decode_hello_reply(flat(message));
  return read ? "" : read.error().message;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_CASE("hello: bounds") {
  using Out = schema::Hello::Builder;
  CHECK(answer([](Out) {}) == "");
  CHECK(has(answer([](Out out) { out.setMagic(1); }), "not of this protocol"));
  CHECK(has(answer([](Out out) { out.setMinVersion(2); }), "versions"));
  CHECK(has(answer([](Out out) { out.setOverlay(""); }), "overlay"));
  CHECK(has(answer([](Out out) { out.setOverlay(std::string(65, 'a').c_str()); }), "overlay"));
  CHECK(has(answer([](Out out) { out.setOverlay("a\tb"); }), "overlay"));
  CHECK(has(answer([](Out out) { out.setChallenge(data(Bytes(31))); }), "challenge"));
  CHECK(has(answer([](Out out) { out.setProof(data(Bytes(257))); }), "proof"));
  for (const int leaf_set : {0, 1, 3, 130, 65535})
    CHECK(has(answer([&](Out out) { out.setLeafSet(static_cast<std::uint16_t>(leaf_set)); }),
              "leafSet"));
  for (const int digit_bits : {0, 9, 255})
    CHECK(has(answer([&](Out out) { out.setDigitBits(static_cast<std::uint8_t>(digit_bits)); }),
              "digitBits"));
  for (const std::uint32_t ms : {0U, kPeriodMsMax + 1, ~0U}) {
    CHECK(has(answer([&](Out out) { out.setLeaseMs(ms); }), "leaseMs"));
    CHECK(has(answer([&](Out out) { out.setHeartbeatMs(ms); }), "heartbeatMs"));
  }
  CHECK(answer([](Out out) { out.initNodes(1024); }) == "");
  CHECK(has(answer([](Out out) { out.initNodes(1025); }), "nodes"));
  CHECK(has(answer([](Out out) { out.initNodes(1)[0].setSignature(data(Bytes(129))); }),
            "nodes.signature"));
  CHECK(has(answer([](Out out) { out.initHost().initAddresses(5); }), "host.addresses"));
}

TEST_CASE("hello reply: bounds") {
  using Out = schema::HelloReply::Builder;
  const auto accepted = [](Out out) {
    out.initAccepted().setChallenge(data(Bytes(kChallengeBytes)));
  };
  CHECK(reply(accepted) == "");
  CHECK(has(reply([&](Out out) {
              accepted(out);
              out.setMaxVersion(3);
            }),
            "version"));
  CHECK(has(reply([&](Out out) {
              accepted(out);
              out.setEcho(data(Bytes(3)));
            }),
            "echo"));
  CHECK(has(reply([](Out out) {
              out.initRefused().setReason(static_cast<schema::HelloReply::Reason>(8));
            }),
            "reason"));
  CHECK(has(reply([](Out out) { out.initRefused().setDetail(std::string(257, 'a').c_str()); }),
            "detail"));
}

TEST_CASE("hello: what cannot be read cannot be written") {
  Random random(1);
  Hello hello = random_hello(random);
  hello.overlay.clear();
  CHECK_FALSE(encode(hello));
  hello.overlay = "overlay";
  CHECK(encode(hello));
  hello.ring.leaf_set = 7;
  CHECK_FALSE(encode(hello));
  hello.ring.leaf_set = 8;
  hello.nodes.resize(kHelloNodesMax);
  CHECK(encode(hello));
  hello.nodes.resize(kHelloNodesMax + 1);
  CHECK_FALSE(encode(hello));
  hello.nodes.clear();
  hello.host.addresses = {"tcp://nowhere"};
  CHECK_FALSE(encode(hello));
  CHECK_FALSE(encode(HelloReply(HelloRefused{HelloRefusal::full, "a\nb", {}, {}})));
}

TEST_CASE("hello: damaged frames") {
  Random random(2);
  for (int i = 0; i < 20'000; ++i) {
    Bytes frame = i % 2 == 0 ? *encode(random_hello(random)) : *encode(random_reply(random));
    if (i % 3 == 0) {
      frame.resize(random.below(frame.size()));
    } else {
      for (auto flips = 1 + random.below(8); flips > 0; --flips)
        frame[random.below(frame.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
    }
    if (const auto hello = decode_hello(frame)) CHECK(encode(*hello));
    if (const auto read = decode_hello_reply(frame)) CHECK(encode(*read));
  }
}

}  // namespace
}  // namespace pastry::wire
