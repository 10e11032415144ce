// Near nodes: who is probed, who stands in the routing table, who is told [Pastry §2.4, §2.5].
#include <doctest/doctest.h>

#include "tests/core/ring.h"

namespace pastry::test {

namespace {

NodeId starting_with(std::uint64_t digits, std::uint64_t rest) {
  return NodeId(digits << 56 | rest, rest);
}

struct Scene {
  Scene() {
    ring.found(self);
    for (const Handle peer : {near, held}) {
      ring.join(peer, {self});
      ring.run(seconds(5));
    }
    REQUIRE(table().contains(near));
    REQUIRE(table().contains(held));
  }

  const RoutingTable& table() { return ring.node(self).tables().routing_table; }

  Outbox receive(Handle from, Message&& message, Duration later = Duration{}) {
    Outbox out;
    ring.node(self).receive(ring.now() + later, from, std::move(message), out);
    return out;
  }

  template <typename Kind>
  static const Kind* sent(const Outbox& out, Handle to) {
    for (const Send& send : out.sends) {
      if (send.to == to && std::holds_alternative<Kind>(send.message)) {
        return &std::get<Kind>(send.message);
      }
    }
    return nullptr;
  }

  Ring ring{Config::lan()};
  Handle self = ring.add(starting_with(0x00, 1));
  Handle near = ring.add(starting_with(0x10, 2));
  Handle held = ring.add(starting_with(0x20, 3));
};

Proximity rtt(int ms) { return Proximity::from(milliseconds(ms)); }

}  // namespace

TEST_CASE("PNS: hearsay decides who is probed, an answer who stands in the table") {
  Scene scene;
  const Handle stranger = scene.ring.add(starting_with(0x30, 4));
  Outbox out = scene.receive(scene.near, RowReply{{{stranger, rtt(1)}}});
  const Ping* ping = Scene::sent<Ping>(out, stranger);
  REQUIRE(ping != nullptr);
  CHECK_FALSE(scene.table().contains(stranger));

  out = scene.receive(stranger, Pong{ping->token, true, rtt(50)}, milliseconds(10));
  CHECK(scene.table().contains(stranger));
  CHECK(scene.table().slot_of(starting_with(0x30, 4)).proximity == rtt(10));
  const Announce* announce = Scene::sent<Announce>(out, stranger);
  REQUIRE(announce != nullptr);  // it wants those nearer than 50 ms
  CHECK(announce->round_trip == milliseconds(10));
  CHECK(announce->row.size() == 2);
}

TEST_CASE("PNS: who cannot be nearer by much is not probed") {
  Scene scene;
  // 100 ms in place of 2 pulls the distance of the held one up to some 14 ms.
  scene.receive(scene.held, Announce{milliseconds(100), {}});
  const Proximity held = scene.table().slot_of(starting_with(0x20, 3)).proximity;
  CHECK(held > rtt(13));
  CHECK(held < rtt(16));
  const Handle far = scene.ring.add(starting_with(0x21, 5));
  const Handle promising = scene.ring.add(starting_with(0x22, 6));
  const Outbox out =
      scene.receive(scene.near, RowReply{{{far, rtt(16)}, {promising, rtt(5)}, {far, {}}}});
  CHECK(Scene::sent<Ping>(out, far) == nullptr);
  CHECK(Scene::sent<Ping>(out, promising) != nullptr);
}

TEST_CASE("PNS: an answer says how near the asker must be to be wanted") {
  Scene scene;
  const auto wanted = [&](Handle from) {
    const Outbox out = scene.receive(from, Ping{7});
    const Pong* pong = Scene::sent<Pong>(out, from);
    REQUIRE(pong != nullptr);
    return pong->wanted;
  };
  CHECK(wanted(scene.near) == Proximity::from_nothing());  // stands there already
  CHECK_FALSE(wanted(scene.ring.add(starting_with(0x40, 7))).known());
  const Handle rival = scene.ring.add(starting_with(0x11, 8));
  CHECK(wanted(rival) == scene.table().slot_of(starting_with(0x10, 2)).proximity);
  // Who is told of a longer way than it has puts nobody into its table.
  scene.receive(rival, Announce{milliseconds(90), {}});
  CHECK_FALSE(scene.table().contains(rival));
  scene.receive(rival, Announce{milliseconds(1), {}});
  CHECK(scene.table().contains(rival));
}

TEST_CASE("distances: the least of the samples counts, longer ones pull it up slowly") {
  using proximity::filtered;
  CHECK(filtered(Proximity(), rtt(10)) == rtt(10));
  CHECK(filtered(rtt(10), Proximity()) == rtt(10));
  CHECK(filtered(rtt(10), rtt(8)) == rtt(8));
  const Proximity pulled = filtered(rtt(10), rtt(18));
  CHECK(pulled > rtt(10));
  CHECK(pulled < rtt(12));
}

}  // namespace pastry::test
