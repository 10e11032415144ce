#include "pastry/zmq/endpoint.h"

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

using pastry::ErrorCode;
using pastry::host::Channel;
using pastry::host::Endpoint;

TEST_CASE("endpoints are read and written") {
  const auto v4 = Endpoint::parse("tcp://127.0.0.1:4000");
  REQUIRE(v4);
  CHECK(v4->host == "127.0.0.1");
  CHECK(v4->port == 4000);
  CHECK(v4->text() == "tcp://127.0.0.1:4000");
  CHECK(v4->text(Channel::data) == "tcp://127.0.0.1:4001");
  CHECK(v4->text(Channel::bulk) == "tcp://127.0.0.1:4002");

  const auto v6 = Endpoint::parse("tcp://[0:0::1]:7");
  REQUIRE(v6);
  CHECK(v6->text() == "tcp://[::1]:7");
  CHECK(v6->needs_ipv6());

  const auto name = Endpoint::parse("tcp://LocalHost:*");
  REQUIRE(name);
  CHECK(name->text() == "tcp://localhost:0");
}

TEST_CASE("malformed endpoints are refused with one line") {
  for (const char* text :
       {"", "tcp://", "tcp://:1", "tcp://a", "tcp://a:", "tcp://a:b", "tcp://a:-1", "tcp://a:1x",
        "tcp://a:65536", "tcp://a:65534", "udp://a:1", "tcp://a b:1", "tcp://a/b:1", "tcp://[::1:1",
        "tcp://::1:1", "tcp://a\n:1", "ipc:///tmp/x", "tcp://[]:1"}) {
    CAPTURE(text);
    const auto endpoint = Endpoint::parse(text);
    REQUIRE_FALSE(endpoint);
    CHECK(endpoint.error().code == ErrorCode::invalid);
    CHECK(endpoint.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("loopback is recognized, and nothing that merely looks like it") {
  for (const char* text : {"tcp://127.0.0.1:1", "tcp://127.9.8.7:1", "tcp://[::1]:1",
                           "tcp://localhost:1", "tcp://LOCALHOST:1"}) {
    CAPTURE(text);
    CHECK(Endpoint::parse(text)->loopback());
  }
  for (const char* text :
       {"tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://127.evil.example:1",
        "tcp://localhost.example:1", "tcp://[::]:1", "tcp://[fe80::1]:1", "tcp://128.0.0.1:1"}) {
    CAPTURE(text);
    CHECK_FALSE(Endpoint::parse(text)->loopback());
  }
}
