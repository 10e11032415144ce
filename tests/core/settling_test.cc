// Near nodes: who is probed, who stands in the routing table, who is told [Pastry §2.4, §2.5].
#include <set>
#include <utility>

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

TEST_CASE("PNS: who looks for near nodes listens to others than the one it asked, too") {
  Scene scene;
  Ring& ring = scene.ring;
  const Handle newcomer = ring.add(starting_with(0x40, 7));
  Handle asked = kNoHandle;
  ring.drop = [&](Handle from, const Send& send) {
    const bool row = from == newcomer && std::holds_alternative<RowRequest>(send.message);
    if (row) asked = send.to;
    return row;
  };
  ring.join(newcomer, {scene.self});
  for (int i = 0; i < 1000 && asked == kNoHandle; ++i) ring.run(milliseconds(1));
  REQUIRE(asked != kNoHandle);
  REQUIRE(ring.node(newcomer).active());
  const Handle stranger = ring.add(starting_with(0x50, 8));
  const Handle other = asked == scene.near ? scene.held : scene.near;
  Outbox out;
  ring.node(newcomer).receive(ring.now(), other, RowReply{{{stranger, rtt(1)}}}, out);
  CHECK(Scene::sent<Ping>(out, stranger) != nullptr);
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

namespace {

// Slots of live nodes that are empty although somebody alive belongs there.
int empty_slots(Ring& ring) {
  int empty = 0;
  for (const Handle owner : ring.live()) {
    std::set<std::pair<int, int>> slots;
    const RoutingTable& table = ring.node(owner).tables().routing_table;
    for (const Handle other : ring.live()) {
      if (other == owner) continue;
      const NodeId& id = ring.directory().id(other);
      const int row = shared_prefix(ring.directory().id(owner), id, table.digit_bits());
      if (table.slot_of(id).node != kNoHandle) continue;
      slots.emplace(row, digit(id, row, table.digit_bits()));
    }
    empty += static_cast<int>(slots.size());
  }
  return empty;
}

}  // namespace

// Of sixteen nodes, all equally far, those that came first know nobody whose id starts with c, and
// are the ones whom each of them takes for its nearest.
TEST_CASE("gossip: those that are nearest to each other hear also whom none of them knows") {
  Ring ring{small_config()};
  // Nobody hears of more nodes than its leaves until the quick rounds after the joins are over.
  ring.drop = [](Handle, const Send& send) {
    return std::holds_alternative<RowReply>(send.message) ||
           std::holds_alternative<Announce>(send.message);
  };
  std::vector<Handle> nodes;
  for (const std::uint64_t digits : {0xa6, 0xa7, 0xa9, 0xad, 0xae, 0xaf, 0xa1, 0xa3, 0xb0, 0xb3,
                                     0xb7, 0xbf, 0xd4, 0xd7, 0xc1, 0xc5}) {
    nodes.push_back(ring.add(starting_with(digits, digits)));
    if (nodes.size() == 1) ring.found(nodes.front());
    if (nodes.size() > 1) ring.join(nodes.back(), {nodes.front()});
    ring.run(seconds(1));
  }
  const Duration period = Config::lan().table_upkeep_period;
  ring.run(period * 3);
  const auto lacks = [&](Handle node) {
    return ring.node(node).tables().routing_table.at(0, 0xc) == kNoHandle;
  };
  CHECK(std::all_of(nodes.begin(), nodes.begin() + 6, lacks));
  ring.drop = nullptr;
  ring.run(period * 6);
  CHECK(std::none_of(nodes.begin(), nodes.begin() + 6, lacks));
  CHECK(empty_slots(ring) == 0);
}

}  // namespace pastry::test
