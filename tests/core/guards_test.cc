// Guards: the keys of a neighbour that died are left alone until its leases have run out, and no
// longer (leases.h).
#include <doctest/doctest.h>

#include "tests/core/roots.h"

using namespace pastry;
using pastry::test::cut_off;
using pastry::test::deliverers;
using pastry::test::grow;
using pastry::test::keys_around;
using pastry::test::lists;
using pastry::test::long_leases;
using pastry::test::most_roots;
using pastry::test::part;
using pastry::test::Ring;
using pastry::test::run_until;
using pastry::test::small_config;
using pastry::test::takeover;

TEST_CASE("a restart needs no guard: the higher incarnation shows that the older one is gone") {
  Ring ring(small_config(), 9);
  const std::vector<Handle> nodes = grow(ring, 6);
  const NodeId id = ring.directory().id(nodes[2]);
  ring.crash(nodes[2]);
  ring.run(milliseconds(20));
  const Handle again = ring.add(id, 2);
  ring.join(again, {nodes[0]});
  ring.run(milliseconds(500));
  CHECK(deliverers(ring, id) == std::vector{again});
}

TEST_CASE("who restarted once is guarded like anybody when it is found dead later") {
  const Config config = long_leases();
  for (const int wait_ms : {0, 500, 1500, 3000}) {
    CAPTURE(wait_ms);
    Ring ring(config, 9);
    const std::vector<Handle> nodes = grow(ring, 6);
    const std::vector<Key> keys = keys_around(ring, nodes);
    ring.crash(nodes[2]);
    const Handle again = ring.add(ring.directory().id(nodes[2]), 2);
    ring.join(again, {nodes[0]});
    ring.run(2 * config.lease);
    REQUIRE(ring.node(again).active());
    ring.stop(again);
    run_until(ring, [&] { return !lists(ring, nodes[1], again) && !lists(ring, nodes[3], again); });
    ring.run(milliseconds(wait_ms));
    REQUIRE(ring.node(again).holds_leases(ring.now()));
    ring.resume(again);
    CHECK(most_roots(ring, seconds(2), keys) <= 1);
  }
}

TEST_CASE("whose end two share gets no lease of one before it") {
  const Config config = long_leases();
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 6);
    const std::vector<Key> keys = keys_around(ring, nodes);
    ring.stop(nodes[2]);
    const Handle silent = nodes[2];
    run_until(ring,
              [&] { return !lists(ring, nodes[1], silent) && !lists(ring, nodes[3], silent); });
    ring.run(milliseconds(500));
    REQUIRE(ring.node(nodes[2]).holds_leases(ring.now()));
    part(ring, {nodes[2]}, nodes[seed % 2 == 0 ? 1 : 3]);
    ring.resume(nodes[2]);
    CHECK(most_roots(ring, 2 * config.lease, keys, milliseconds(20)) <= 1);
  }
}

TEST_CASE("who stood beyond a side that died and came back at once keeps its keys") {
  Config config = small_config();
  config.leaf_set = 4;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 16);
    const std::vector<Key> keys = keys_around(ring, nodes);
    // Two live nodes with two restarted ones on each side: nobody else knows them.
    for (const std::size_t i : {5U, 6U, 9U, 10U}) {
      ring.crash(nodes[i]);
      const Handle again = ring.add(ring.directory().id(nodes[i]), 2);
      ring.join(again, {nodes[i < 8 ? 4 : 11]});
    }
    CHECK(most_roots(ring, 3 * config.lease, keys, milliseconds(20)) <= 1);
    CHECK(ring.wrong_neighbours() == 0);
  }
}

TEST_CASE("who died long ago is not waited for when its neighbour dies") {
  const Config config = small_config();
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 12);
    const std::vector<Key> keys = keys_around(ring, {nodes[4], nodes[5], nodes[6]});
    ring.crash(nodes[5]);
    ring.run(4 * config.lease);
    ring.crash(nodes[6]);
    CHECK(most_roots(ring, config.granted_lease(), keys) <= 1);
    ring.run(milliseconds(50));
    for (const Key& key : keys) CHECK(deliverers(ring, key).size() == 1);
  }
}

TEST_CASE("whom others name again may have got a lease of a neighbour that died since") {
  const Config config = small_config();
  Ring ring(config, 4);
  const std::vector<Handle> nodes = grow(ring, 12);
  const std::vector<Key> keys = keys_around(ring, {nodes[4], nodes[5], nodes[6]});
  ring.crash(nodes[5]);
  ring.run(4 * config.lease);
  for (const std::size_t i : {4U, 7U}) {
    Outbox out;
    const LeafProbe naming{true, true, 0, {nodes[5]}, {}, {}};
    ring.node(nodes[i]).receive(ring.clock(nodes[i]), nodes[0], Message(naming), out);
  }
  ring.crash(nodes[6]);
  ring.run(config.granted_lease() + milliseconds(50));
  CHECK(deliverers(ring, ring.directory().id(nodes[5])).empty());
  ring.run(config.granted_lease());
  for (const Key& key : keys) CHECK(deliverers(ring, key).size() == 1);
}

TEST_CASE("who came and died beside one long dead does not make it be waited for") {
  const Config config = small_config();
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 12);
    const std::vector<Key> keys = keys_around(ring, {nodes[4], nodes[5], nodes[6]});
    ring.crash(nodes[5]);
    ring.run(2 * config.lease);
    const NodeId& left = ring.directory().id(nodes[4]);
    const Handle newcomer =
        ring.add(left + Id((ring.directory().id(nodes[5]) - left).high() / 2, 0));
    ring.join(newcomer, {nodes[0]});
    for (int i = 0; i < 100 && !ring.node(newcomer).active(); ++i) ring.run(milliseconds(50));
    REQUIRE(ring.node(newcomer).active());
    ring.crash(newcomer);
    CHECK(most_roots(ring, takeover(config), keys, milliseconds(20)) <= 1);
    for (const Key& key : keys) CHECK(deliverers(ring, key).size() == 1);
  }
}

TEST_CASE("what a lost neighbour was closer to waits until the next one agrees") {
  for (const bool restarts : {false, true}) {
    CAPTURE(restarts);
    Ring ring(small_config(), 9);
    const std::vector<Handle> nodes = grow(ring, 8);
    const auto id = [&](Handle node) { return ring.directory().id(node); };
    const Id span = id(nodes[3]) - id(nodes[1]);
    // Closest to the lost node 2, and of the others to node 1.
    const Key key = id(nodes[1]) + Id(span.high() / 2 - 1, 0);
    Outbox out;
    if (restarts) {
      const Handle again = ring.add(id(nodes[2]), 2);
      ring.node(nodes[1]).receive(ring.clock(nodes[1]), again, JoinRequest{again, 1, 0, {}}, out);
    } else {
      ring.node(nodes[1]).receive(ring.clock(nodes[1]), nodes[2], Leave{}, out);
    }
    CHECK(ring.node(nodes[1]).tables().leaf_set.right_neighbour() == nodes[3]);
    CHECK(ring.node(nodes[1]).holds_leases(ring.now()));
    CHECK_FALSE(ring.node(nodes[1]).would_deliver(key, ring.now()));
    CHECK(ring.node(nodes[1]).would_deliver(id(nodes[1]), ring.now()));
  }
}

TEST_CASE("a message that waited for a guard goes to the node that is back") {
  Ring ring(small_config(), 23);
  const std::vector<Handle> nodes = grow(ring, 6);
  cut_off(ring, nodes[2]);
  for (int i = 0; i < 1000 && ring.node(nodes[1]).tables().leaf_set.contains(nodes[2]); ++i) {
    ring.run(milliseconds(5));
  }
  REQUIRE_FALSE(ring.node(nodes[1]).tables().leaf_set.contains(nodes[2]));
  REQUIRE(ring.node(nodes[2]).active());
  const Id span = ring.directory().id(nodes[2]) - ring.directory().id(nodes[1]);
  const Key key = ring.directory().id(nodes[1]) + Id(span.high() / 8 * 5, 0);  // next to it
  ring.delivered.clear();
  ring.route(nodes[1], key);
  ring.run(milliseconds(20));
  CHECK(ring.delivered.empty());
  ring.drop = nullptr;
  ring.at(nodes[2], [&](Context context) {
    static_cast<void>(context.route(ring.directory().id(nodes[1]), Payload(), {}));
  });
  // If it lost its leases meanwhile it hands the message back, and is asked for it half a lease
  // later.
  for (int i = 0; i < 2000 && ring.delivered.size() < 2; ++i) ring.run(milliseconds(5));
  REQUIRE(ring.delivered.size() == 2);
  for (const Ring::Delivered& delivery : ring.delivered) {
    CHECK(delivery.at == (delivery.key == key ? nodes[2] : nodes[1]));
  }
}

TEST_CASE(
    "who comes back nearer than a node that is guarded waits until that one's leases are over") {
  Config config = small_config();
  config.lease = seconds(20);  // much longer than it takes to find somebody dead and to come back
  for (const int out_s : {21, 22}) {
    for (const int wait_ms : {0, 500, 1000}) {
      CAPTURE(out_s);
      CAPTURE(wait_ms);
      Ring ring(config, 7);
      const std::vector<Handle> nodes = grow(ring, 12);
      const std::vector<Key> keys = keys_around(ring, {nodes[5], nodes[6]});
      // Only one far away still hears node 6 until its leases are over; then node 5 is stopped.
      ring.drop = [&](Handle from, const Send& send) {
        const bool far = from == nodes[0] || send.to == nodes[0];
        return !far && (from == nodes[6] || send.to == nodes[6]);
      };
      ring.run(seconds(out_s));
      ring.stop(nodes[5]);
      const auto agreed = [&](Handle left, Handle right) {
        return ring.node(left).tables().leaf_set.right_neighbour() == right &&
               ring.node(right).tables().leaf_set.left_neighbour() == left;
      };
      for (int i = 0; i < 1000 && !agreed(nodes[4], nodes[7]); ++i) ring.run(milliseconds(5));
      ring.run(milliseconds(wait_ms));
      REQUIRE(ring.node(nodes[5]).holds_leases(ring.now()));
      ring.drop = nullptr;
      ring.at(nodes[6], [&](Context context) {
        static_cast<void>(context.route(ring.directory().id(nodes[4]), Payload(), {}));
      });
      CHECK(most_roots(ring, 2 * config.lease, keys, milliseconds(20)) <= 1);
      CHECK(ring.node(nodes[6]).active());
    }
  }
}
