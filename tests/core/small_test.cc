// Random numbers, configuration, errors, names, hexadecimal text, the insecure verifier.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "pastry/core/config.h"
#include "pastry/core/error.h"
#include "pastry/core/hash.h"
#include "pastry/core/hex.h"
#include "pastry/core/identity_set.h"
#include "pastry/core/random.h"
#include "pastry/core/storage.h"
#include "pastry/core/verifier.h"

using namespace pastry;

TEST_CASE("random: the published generator, the same numbers under every compiler") {
  Random random(0);
  CHECK(random.next() == 11091344671253066420ULL);
  CHECK(random.next() == 13793997310169335082ULL);
  CHECK(random.next() == 1900383378846508768ULL);
  CHECK(random.next() == 7684712102626143532ULL);
}

TEST_CASE("random: below is uniform and within its bound") {
  Random random(5);
  for (const std::uint64_t bound : {1ULL, 2ULL, 3ULL, 1ULL << 63, (1ULL << 63) + 1, ~0ULL}) {
    for (int i = 0; i < 100; ++i) CHECK(random.below(bound) < bound);
  }
  std::map<std::uint64_t, int> counts;
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (const auto& [value, count] : counts) CHECK(std::abs(count - 10000) < 500);
}

TEST_CASE("random: durations stay within their bounds, both of which occur") {
  Random random(6);
  bool lowest = false;
  bool highest = false;
  for (int i = 0; i < 1000; ++i) {
    const Duration value = random.between(Duration(-2), Duration(3));
    CHECK(value >= Duration(-2));
    CHECK(value <= Duration(3));
    lowest |= value == Duration(-2);
    highest |= value == Duration(3);
  }
  CHECK(lowest);
  CHECK(highest);
  CHECK(random.between(seconds(1), seconds(1)) == seconds(1));
  for (int i = 0; i < 1000; ++i) {
    const Duration value = random.jittered(seconds(100), 20);
    CHECK(value >= seconds(80));
    CHECK(value <= seconds(120));
  }
  CHECK(random.jittered(seconds(7), 0) == seconds(7));
  CHECK(random.jittered(std::chrono::hours(24 * 365 * 100), 100) >= Duration());
}

TEST_CASE("config: all profiles are valid; LAN detects a death within 5 s, test within 1 s") {
  for (const Config& config : {Config::lan(), Config::regional(), Config::wan(), Config::test()}) {
    CHECK(config.validate());
    // A death is found out and the next neighbour has granted before the old lease ends.
    CHECK(config.lease > config.probe_timeout * (config.probe_retries + 2));
    CHECK(config.lease_renewal() < config.lease);
  }
  const Config test = Config::test();
  CHECK(test.heartbeat_period + (test.probe_retries + 2) * test.probe_timeout <= seconds(1));
  CHECK(test.lease < seconds(1));
  const Config lan = Config::lan();
  CHECK(lan.heartbeat_period + (lan.probe_retries + 2) * lan.probe_timeout <= seconds(5));
  CHECK(Config::wan().heartbeat_period == seconds(30));
  CHECK(lan.replicas_max() == 17);
}

TEST_CASE("config: the first violated range is named with field, value and range") {
  const auto complaint = [](auto change) {
    Config config = Config::lan();
    change(config);
    const Result<void> result = config.validate();
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::invalid);
    return result.error().message;
  };
  CHECK(complaint([](Config& c) { c.digit_bits = 0; }) == "digit_bits is 0, must be 1 … 8");
  CHECK(complaint([](Config& c) { c.digit_bits = 9; }) == "digit_bits is 9, must be 1 … 8");
  CHECK(complaint([](Config& c) { c.leaf_set = 7; }) == "leaf_set is 7, must be even");
  CHECK(complaint([](Config& c) { c.leaf_set = 130; }) == "leaf_set is 130, must be 2 … 128");
  CHECK(complaint([](Config& c) { c.leaf_set = 0; }) == "leaf_set is 0, must be 2 … 128");
  CHECK(complaint([](Config& c) { c.neighbourhood = -1; }) ==
        "neighbourhood is -1, must be 0 … 128");
  CHECK(complaint([](Config& c) { c.heartbeat_period = Duration(); }) ==
        "heartbeat_period is 0 s, must be 1 ms … 86400 s");
  CHECK(complaint([](Config& c) { c.rto_max = milliseconds(10); }) ==
        "rto_max is 10 ms, must be 20 ms … 86400 s");
  CHECK(complaint([](Config& c) { c.join_retry_max = milliseconds(100); }) ==
        "join_retry_max is 100 ms, must be 200 ms … 86400 s");
  CHECK(complaint([](Config& c) { c.rto_max = milliseconds(300); }) ==
        "rto_max is 300 ms, must be at least probe_timeout, 500 ms");
  CHECK(complaint([](Config& c) { c.lease = milliseconds(2499); }) ==
        "lease is 2499 ms, must be at least 2500 ms: probe_timeout * (probe_retries + 3)");
  CHECK(complaint([](Config& c) {
          c.probe_retries = 0;
          c.lease = milliseconds(1499);
        }) == "lease is 1499 ms, must be at least 1500 ms: probe_timeout * (probe_retries + 3)");
  CHECK(complaint([](Config& c) { c.lease = seconds(30); }) ==
        "duplicate_memory is 60 s, must be at least 65 s: two leases and gap_expiry");
  CHECK(complaint([](Config& c) { c.gap_expiry = seconds(1); }) ==
        "gap_expiry is 1 s, must be at least 1500 ms: probe_timeout * (probe_retries + 1)");
  CHECK(complaint([](Config& c) { c.jitter_percent = 101; }) ==
        "jitter_percent is 101, must be 0 … 100");
  CHECK(complaint([](Config& c) { c.payload_max = 0; }).find("payload_max is 0") == 0);
  CHECK(complaint([](Config& c) {
          c.hop_attempts = 0;
          c.hops_max = 0;
        }) == "hop_attempts is 0, must be 1 … 64");
}

TEST_CASE("error: every code has a name of its own") {
  std::map<std::string_view, int> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::incompatible); ++code) {
    ++names[name(static_cast<ErrorCode>(code))];
  }
  CHECK(names.size() == 11);
  CHECK(names.count("unknown") == 0);
  CHECK(name(ErrorCode::not_found) == "not_found");
}

TEST_CASE("hex: text that comes from outside is cut and made printable") {
  CHECK(quoted("abc") == "\"abc\"");
  CHECK(quoted("a\n\x01\xff") == "\"a???\"");
  CHECK(quoted(std::string(1000, 'x')).size() < 100);
  Digest digest{};
  digest[0] = 0xab;
  digest[31] = 0x01;
  CHECK(hex(digest) == "ab" + std::string(60, '0') + "01");
}

TEST_CASE("storage: a name is 64 digits, the first half of which is its key") {
  const std::string text = "00112233445566778899aabbccddeeff" + std::string(31, '0') + "1";
  const Result<StoreName> name = StoreName::parse(text);
  REQUIRE(name);
  CHECK(name->hex() == text);
  CHECK(name->key().hex() == text.substr(0, 32));
  CHECK(StoreName{} < *name);
  for (const std::string& bad : {std::string(), text.substr(1), text + "0", text.substr(1) + "x"}) {
    const Result<StoreName> refused = StoreName::parse(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::invalid);
  }
}

TEST_CASE("verifier: insecure mode takes loopback addresses only") {
  const InsecureLoopbackVerifier verifier;
  PeerInfo peer;
  CHECK(verifier.verify(peer));
  for (const char* address :
       {"tcp://127.0.0.1:1", "tcp://127.255.3.4:65535", "tcp://localhost:7000", "tcp://[::1]:7000",
        "ipc:///tmp/socket", "inproc://node"}) {
    CAPTURE(address);
    peer.host.addresses = {address};
    CHECK(verifier.verify(peer));
  }
  for (const char* address : {"",
                              "tcp://",
                              "tcp://127.0.0.1",
                              "tcp://127.0.0.1:",
                              "tcp://127.0.0.1:0",
                              "tcp://127.0.0.1:65536",
                              "tcp://127.0.0.1:70x",
                              "tcp://127.0.0.1:*",
                              "tcp://128.0.0.1:1",
                              "tcp://127.0.0:1",
                              "tcp://127.0.0.0.1:1",
                              "tcp://127.0.0.256:1",
                              "tcp://127.0.0.1.evil:1",
                              "tcp://127.evil.example:1",
                              "tcp://0127.0.0.1:1",
                              "tcp://localhost.evil:1",
                              "tcp://*:1",
                              "tcp://0.0.0.0:1",
                              "tcp://[::]:1",
                              "tcp://[::1]x:1",
                              "tcp://10.0.0.1:1",
                              "TCP://127.0.0.1:1",
                              "pgm://127.0.0.1:1",
                              "udp://127.0.0.1:1",
                              "ipc://",
                              "127.0.0.1:1",
                              "tcp://1.2.3.4:5;127.0.0.1:1"}) {
    CAPTURE(address);
    peer.host.addresses = {address};
    const Result<void> result = verifier.verify(peer);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::refused);
  }
  peer.host.addresses = {"tcp://127.0.0.1:1", "tcp://192.0.2.1:1"};
  CHECK_FALSE(verifier.verify(peer));
}

TEST_CASE("config: no range goes beyond what a message may hold") {
  Config config;
  config.failed_max = 257;
  CHECK_FALSE(config.validate());
  config = {};
  config.hops_max = 1024;
  CHECK_FALSE(config.validate());
  config = {};
  config.gap_batch = 65;
  CHECK_FALSE(config.validate());
}

TEST_CASE("identity set: holds what std::set holds, zero and neighbours included") {
  Random random(3);
  IdentitySet set;
  std::set<std::uint64_t> model;
  CHECK_FALSE(set.contains(0));
  for (int i = 0; i < 5000; ++i) {
    // Few distinct low bits, so that places collide; and all small numbers.
    const std::uint64_t hash = random.below(2) == 0 ? random.below(64) << 40 : random.below(3000);
    const std::uint64_t same = hash == 0 ? 1 : hash;
    CHECK(set.contains(hash) == model.contains(same));
    set.insert(hash);
    model.insert(same);
  }
  for (const std::uint64_t hash : model) CHECK(set.contains(hash));
  CHECK(set.size() == model.size());
  const IdentitySet taken = std::exchange(set, {});
  CHECK(set.empty());
  CHECK_FALSE(set.contains(5));
  CHECK(taken.size() == model.size());
}
