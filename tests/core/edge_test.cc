// What happens seldom: peers that are forgotten while something about them is remembered.
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::kTestApplication;

namespace {

Config small_config(int leaf_set) {
  Config config = Config::lan();
  config.leaf_set = leaf_set;
  config.neighbourhood = 4;
  return config;
}

NodeId place(std::uint64_t high) { return {high << 48, 0}; }

struct Counting : Application {
  void deliver(Context, const Delivery&) override { ++deliveries; }
  int deliveries = 0;
};

// A founder alone with its directory, driven by hand.
struct Alone {
  Alone() : self(peer(1)), node(config, directory, self, 1) {
    node.add_application(kTestApplication, application);
    node.found(now, out);
  }
  Handle peer(std::uint8_t number) {
    PeerInfo info;
    info.id = place(number);
    info.incarnation = 1;
    info.host.transport_key.bytes[0] = number;
    return directory.intern(info);
  }
  void receive(Handle from, Message message) {
    node.receive(now, from, std::move(message), out);
    node.flush(now, out);
  }
  void run(Duration time) {
    const Time end = now + time;
    while (node.next_deadline() <= end) {
      now = std::max(now, node.next_deadline());
      node.advance(now, out);
    }
    now = end;
  }
  void collect() {
    directory.begin_collection();
    node.mark_handles();
    directory.end_collection();
  }

  Config config = small_config(8);
  Directory directory;
  Handle self;
  Counting application;
  Node node;
  Time now{seconds(1)};
  Outbox out;
};

Routed first_message(Handle source) {
  Routed message;
  message.header.key = place(1);
  message.header.application = kTestApplication;
  message.header.source = source;
  message.header.sequence = 1;
  return message;
}

}  // namespace

TEST_CASE("a peer that gets the handle of a forgotten one is not taken for it") {
  Alone alone;
  const Handle hop = alone.peer(2);
  const Handle source = alone.peer(3);
  alone.receive(hop, first_message(source));
  REQUIRE(alone.application.deliveries == 1);
  alone.collect();
  REQUIRE_FALSE(alone.directory.valid(source));
  const Handle other = alone.peer(4);
  REQUIRE(other == source);
  alone.receive(hop, first_message(other));
  CHECK(alone.application.deliveries == 2);
  alone.receive(hop, first_message(other));
  CHECK(alone.application.deliveries == 2);
}

TEST_CASE("a hop that lives and never acknowledges is forgotten in the end") {
  Alone alone;
  const Handle hop = alone.peer(2);
  RouteOptions options;
  options.hint = hop;
  alone.node.run(alone.now, kTestApplication, alone.out, [&](Context context) {
    CHECK(context.route(place(1), Payload::copy_of("x"), options));
  });
  alone.run(milliseconds(400));
  CHECK(alone.application.deliveries == 1);  // here, since the hop is silent
  std::uint32_t token = 0;
  for (const Send& send : alone.out.sends) {
    if (const auto* ping = std::get_if<Ping>(&send.message)) token = ping->token;
  }
  REQUIRE(token != 0);
  alone.receive(hop, Pong{token, false});
  alone.run(seconds(200));
  alone.collect();
  CHECK_FALSE(alone.directory.valid(hop));
}

TEST_CASE("the peer that a request waits for is not forgotten") {
  Alone alone;
  const Handle peer = alone.peer(2);
  alone.node.run(alone.now, kTestApplication, alone.out,
                 [&](Context context) { CHECK(context.request(peer, Payload::copy_of("x"))); });
  alone.collect();
  CHECK(alone.directory.valid(peer));
}
