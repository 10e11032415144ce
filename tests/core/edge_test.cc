// What happens seldom: whole sides of a leaf set that die, joiners that die in a batch, peers that
// are forgotten while something about them is remembered.
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::kTestApplication;
using pastry::test::Ring;

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

TEST_CASE("the replica set is not sure where a whole side of the leaf set died") {
  Ring ring(small_config(8));
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 30; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(3));
  REQUIRE(ring.wrong_neighbours() == 0);
  const Handle node = ring.live()[15];
  const LeafSet& leaves = ring.node(node).tables().leaf_set;
  const std::vector<Handle> left(leaves.left().begin(), leaves.left().end());
  Outbox lost;  // probes of the dead
  for (const Handle peer : left) {
    ring.crash(peer);
    ring.node(node).peer_unreachable(ring.now(), peer, lost);
  }
  for (int i = 0; i < 10000 && !leaves.left().empty(); ++i) ring.run(milliseconds(1));
  REQUIRE(leaves.left().empty());
  REQUIRE(!leaves.right().empty());
  ring.at(node,
          [&](Context context) { CHECK_FALSE(context.knows_replica_set(context.self_id(), 2)); });
}

TEST_CASE("where a side of the leaf set restarts who is known behind it is probed at once") {
  Config config = small_config(4);
  config.neighbourhood = 16;
  Ring ring(config);
  const std::vector<Handle> live = pastry::test::grow(ring, 10);
  const Handle node = live[5];
  Outbox out;
  for (const std::size_t place : {3U, 4U}) {
    ring.crash(live[place]);
    const Handle restarted = ring.add(ring.directory().id(live[place]), 2);
    ring.node(node).receive(ring.now(), restarted, JoinRequest{restarted, 1, 0, {}}, out);
  }
  REQUIRE(ring.node(node).tables().leaf_set.left().empty());
  CHECK(std::any_of(out.sends.begin(), out.sends.end(), [&](const Send& send) {
    return send.to == live[2] && std::holds_alternative<LeafProbe>(send.message);
  }));
}

TEST_CASE("joiners that die outside of the owner's leaf set do not block its gap") {
  Ring ring(small_config(4));
  const Handle first = ring.add(place(0x1000));
  ring.found(first);
  for (std::uint64_t high = 0x2000; high < 0xf000; high += 0x1000) {
    ring.join(ring.add(place(high)), {first});
  }
  ring.run(seconds(3));
  REQUIRE(ring.wrong_neighbours() == 0);
  // The first one keeps the gap busy until its death is certain; the others become one batch then,
  // larger than the owner's leaf set.
  std::vector<Handle> joiners;
  for (std::uint64_t high = 0x4100; high <= 0x4b00; high += 0x100) {
    joiners.push_back(ring.add(place(high)));
    ring.join(joiners.back(), {first});
  }
  for (const std::size_t i : {0, 4, 5, 6, 7}) ring.crash(joiners[i]);
  ring.run(seconds(20));
  const Handle late = ring.add(place(0x4080));
  ring.join(late, {first});
  ring.run(seconds(20));
  CHECK(ring.node(late).active());
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("a batch whose gap had to wait before is not forgotten when a guard ends") {
  // Whoever was the owner's whole right side comes back at once: the gap waits for a neighbour, and
  // opens for the newcomer before the guard of its first incarnation ends.
  for (int seed = 1; seed <= 20; ++seed) {
    Ring ring(small_config(2), static_cast<std::uint64_t>(seed));
    const Handle owner = ring.add(place(0x1000));
    ring.found(owner);
    for (std::uint64_t high = 0x2000; high <= 0xa000; high += 0x1000) {
      ring.join(ring.add(place(high)), {owner});
    }
    ring.run(seconds(3) + milliseconds(50 * seed));
    const std::vector<Handle> before = ring.live();
    ring.crash(before[1]);
    ring.join(ring.add(ring.directory().id(before[1]), 2), {owner});
    ring.run(seconds(20));
    CAPTURE(seed);
    CHECK(ring.wrong_neighbours() == 0);
    CHECK(ring.node(owner).load().joiners == 0);
  }
}

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

TEST_CASE("a member that was admitted but not active in time founds no ring of its own") {
  Ring ring(small_config(8));
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < 6; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(3));
  const Handle back = ring.add();
  ring.drop = [&](Handle from, const Send& send) {
    const bool its_own = from == back || send.to == back;
    return its_own && (std::holds_alternative<LeafProbe>(send.message) ||
                       std::holds_alternative<Pong>(send.message));
  };
  ring.join(back, {first}, true);
  for (int i = 0; i < 60; ++i) {
    ring.run(milliseconds(100));
    REQUIRE_FALSE(ring.node(back).active());
  }
  ring.drop = {};
  ring.run(seconds(60));
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("a request to join that a dead node swallowed is passed on another way") {
  Ring ring(small_config(4));
  const std::vector<Handle> live = pastry::test::grow(ring, 30);
  const Handle relay = live[2];
  const Handle joiner = ring.add(NodeId{ring.directory().id(live[20]).high() + 1, 0});
  const auto passed_to = [](const std::vector<Send>& sends) {
    const auto found = std::find_if(sends.begin(), sends.end(), [](const Send& send) {
      return std::holds_alternative<JoinRequest>(send.message);
    });
    return found == sends.end() ? kNoHandle : found->to;
  };
  Outbox out;
  ring.node(relay).receive(ring.now(), joiner, JoinRequest{joiner, 1, 0, {}}, out);
  const Handle dead = passed_to(out.sends);
  REQUIRE(dead != kNoHandle);
  ring.crash(dead);
  Handle again = kNoHandle;
  ring.drop = [&](Handle from, const Send& send) {
    if (from == relay && std::holds_alternative<JoinRequest>(send.message)) again = send.to;
    return false;
  };
  ring.run(Config::lan().probe_time());
  REQUIRE(again != kNoHandle);
  CHECK(again != dead);
}

TEST_CASE("a request to join that a live node took is not passed on twice") {
  Ring ring(small_config(4));
  const std::vector<Handle> live = pastry::test::grow(ring, 30);
  const Handle joiner = ring.add(NodeId{ring.directory().id(live[20]).high() + 1, 0});
  int requests = 0;
  ring.drop = [&](Handle from, const Send& send) {
    requests += from == live[2] && std::holds_alternative<JoinRequest>(send.message);
    return false;
  };
  ring.join(joiner, {live[2]});
  ring.run(Config::lan().probe_time() * 3);
  CHECK(ring.node(joiner).active());
  CHECK(requests == 1);
}

TEST_CASE("peers named unasked do not make a node ping without end") {
  Ring ring(Config::lan());
  const Handle node = ring.add();
  const Handle chatty = ring.add();
  ring.found(node);
  ring.join(chatty, {node});
  ring.run(seconds(2));
  std::size_t pings = 0;
  ring.drop = [&](Handle from, const Send& send) {
    if (from == node && std::holds_alternative<Ping>(send.message)) ++pings;
    return false;
  };
  for (int i = 0; i < 20; ++i) {
    NeighbourhoodReply reply;
    for (int j = 0; j < 200; ++j) reply.members.push_back({ring.add(), Proximity()});
    Outbox out;
    ring.node(node).receive(ring.now(), chatty, std::move(reply), out);
    pings += out.sends.size();
  }
  CHECK(pings >= 1000);
  CHECK(pings <= 1100);
}

TEST_CASE("a request that happens to bear the token of this node's own probe is no answer to it") {
  Alone alone;
  const Handle peer = alone.peer(3);
  alone.receive(alone.peer(2), LeafProbe{false, true, 1, {peer}, {}, {}});
  const auto asked = std::find_if(alone.out.sends.begin(), alone.out.sends.end(),
                                  [&](const Send& send) { return send.to == peer; });
  REQUIRE(asked != alone.out.sends.end());
  const std::uint32_t token = std::get<LeafProbe>(asked->message).token;
  const Tables& tables = alone.node.tables();
  alone.receive(peer, LeafProbe{false, true, token, {}, {}, {}});
  CHECK_FALSE(tables.leaf_set.contains(peer));
  CHECK_FALSE(tables.routing_table.contains(peer));
  alone.receive(peer, LeafProbe{true, true, token, {}, {}, {}});
  CHECK(tables.leaf_set.contains(peer));
}

TEST_CASE("what a joiner was asked before it had a place is not held against it") {
  // It has one by now, or will soon.
  for (const Message& said :
       {Message(LeafProbe{true, false, 0, {}, {}, {}}), Message(Announce{Duration{-1}, {}})}) {
    Alone alone;
    const Handle joiner = alone.peer(3);
    LeafProbe named{false, true, 1, {joiner}, {}, {}};
    alone.receive(alone.peer(2), std::move(named));
    const auto asked = [&] {
      return std::count_if(alone.out.sends.begin(), alone.out.sends.end(), [&](const Send& send) {
        const auto* probe = std::get_if<LeafProbe>(&send.message);
        return send.to == joiner && probe != nullptr && !probe->reply;
      });
    };
    alone.run(alone.config.probe_time() - milliseconds(1));
    const auto before = asked();
    REQUIRE(before == alone.config.probe_retries + 1);
    alone.receive(joiner, Message(said));
    alone.run(alone.config.probe_timeout);
    CHECK(asked() > before);
  }
}

TEST_CASE("a peer without a place that answers after all is not asked for its leaf set again") {
  Alone alone;
  const Handle peer = alone.peer(3);
  alone.receive(alone.peer(2), LeafProbe{false, true, 1, {peer}, {}, {}});
  alone.run(alone.config.probe_time());  // it has no leaf set to answer with
  const auto leaf_probes = [&] {
    return std::count_if(alone.out.sends.begin(), alone.out.sends.end(), [&](const Send& send) {
      return send.to == peer && std::holds_alternative<LeafProbe>(send.message);
    });
  };
  const auto before = leaf_probes();
  REQUIRE(before == alone.config.probe_retries + 1);
  const auto pinged = [&] {
    alone.out.sends.clear();
    alone.receive(peer, Ping{7});
    const auto ping =
        std::find_if(alone.out.sends.begin(), alone.out.sends.end(), [&](const Send& send) {
          return send.to == peer && std::holds_alternative<Ping>(send.message);
        });
    REQUIRE(ping != alone.out.sends.end());
    return std::get<Ping>(ping->message).token;
  };
  alone.run(alone.config.probe_time());
  SUBCASE("it is still joining") {
    alone.receive(peer, Pong{pinged(), false, Proximity()});
    CHECK(leaf_probes() == 0);
  }
  SUBCASE("it is a member by now") {
    alone.receive(peer, Pong{pinged(), true, Proximity()});
    CHECK(leaf_probes() == 1);
  }
}
