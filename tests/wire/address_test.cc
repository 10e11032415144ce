#include "pastry/wire/address.h"

#include <doctest/doctest.h>

#include "pastry/core/random.h"

namespace pastry::wire {
namespace {

TEST_CASE("addresses: numeric where they can be") {
  const auto four = parse_address("tcp://192.0.2.17:5000");
  REQUIRE(four);
  CHECK(*four == Address{Address::Kind::ipv4, 0, 0xc0000211, 5000, ""});
  const auto six = parse_address("tcp://[2001:db8::7]:1");
  REQUIRE(six);
  CHECK(*six == Address{Address::Kind::ipv6, 0x20010db800000000ULL, 7, 1, ""});
  const auto name = parse_address("tcp://node-1.example.org:65535");
  REQUIRE(name);
  CHECK(*name == Address{Address::Kind::name, 0, 0, 65535, "node-1.example.org"});
}

TEST_CASE("addresses: one spelling") {
  CHECK(canonical_address("tcp://[0:0::1]:0080").value() == "tcp://[::1]:80");
  CHECK(canonical_address("tcp://127.0.0.1:5000").value() == "tcp://127.0.0.1:5000");
  CHECK(canonical_address("tcp://Host:1").value() == "tcp://Host:1");
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    Address address;
    address.kind = random.below(2) == 0 ? Address::Kind::ipv4 : Address::Kind::ipv6;
    address.low = random.next() >> random.below(64);
    if (address.kind == Address::Kind::ipv4)
      address.low &= 0xffffffff;
    else
      address.high = random.next() << random.below(64);
    address.port = static_cast<std::uint16_t>(1 + random.below(65535));
    const std::string text = format_address(address);
    CHECK(parse_address(text).value() == address);
    CHECK(is_canonical(address, text));
  }
}

TEST_CASE("addresses: what is none") {
  for (const char* text : {"",
                           "tcp://",
                           "tcp://a",
                           "tcp://a:",
                           "tcp://:1",
                           "tcp://a:0",
                           "tcp://a:65536",
                           "tcp://a:1x",
                           "tcp://a:-1",
                           "tcp://a: 1",
                           "udp://a:1",
                           "127.0.0.1:1",
                           "tcp://[::1:1",
                           "tcp://[]:1",
                           "tcp://[::1]",
                           "tcp://[1.2.3.4]:1",
                           "tcp://a b:1",
                           "tcp://a/b:1",
                           "tcp://::1:1",
                           "tcp://*:1"}) {
    CAPTURE(text);
    const auto address = parse_address(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == ErrorCode::invalid);
  }
  CHECK(parse_address("tcp://" + std::string(240, 'a') + ":65535"));
  CHECK_FALSE(parse_address("tcp://" + std::string(241, 'a') + ":1"));
  CHECK_FALSE(parse_address("tcp://" + std::string(100'000, 'a') + ":1"));
}

}  // namespace
}  // namespace pastry::wire
