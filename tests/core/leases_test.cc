// Leases on bare nodes: granted, renewed, refused, run out; a node that was stopped; clocks that
// run at different speeds; rings of one, two and three (leases.h; faults R3, R8, R10).
#include <doctest/doctest.h>

#include "tests/core/roots.h"

using namespace pastry;
using pastry::test::cut_off;
using pastry::test::deliverers;
using pastry::test::grow;
using pastry::test::keys_around;
using pastry::test::most_roots;
using pastry::test::part;
using pastry::test::Ring;
using pastry::test::small_config;
using pastry::test::takeover;

namespace {

Lease answer_to(Ring& ring, Handle to, Handle from, Lease request) {
  Outbox out;
  ring.node(to).receive(ring.clock(to), from, std::move(request), out);
  for (const Send& send : out.sends) {
    if (send.to == from && std::holds_alternative<Lease>(send.message)) {
      return std::get<Lease>(send.message);
    }
  }
  return {};
}

}  // namespace

TEST_CASE("a lease is valid for its time, is renewed in time, and serves as heartbeat") {
  const Config config = small_config();
  Ring ring(config);
  const std::vector<Handle> nodes = grow(ring, 12);
  for (int i = 0; i < 400; ++i) {
    ring.run(milliseconds(50));
    for (const Handle node : nodes) {
      REQUIRE(ring.node(node).holds_leases(ring.now()));
      REQUIRE_FALSE(ring.node(node).holds_leases(ring.now() + config.lease));
    }
  }
  std::map<std::uint32_t, int> leases;
  ring.drop = [&](Handle from, const Send& send) {
    leases[index(from)] += std::holds_alternative<Lease>(send.message);
    return false;
  };
  ring.run(seconds(30));
  for (const Handle node : nodes) {
    // Three messages for two renewals; each node is in two pairs, and renews about every T_ls.
    CAPTURE(leases[index(node)]);
    CHECK(leases[index(node)] >= 60);
    CHECK(leases[index(node)] <= 130);
  }
}

TEST_CASE("a neighbour is granted a lease, everybody else is refused and told who is near") {
  Ring ring(small_config());
  const std::vector<Handle> nodes = grow(ring, 12);
  Lease request;
  request.request = 77;
  request.active = true;
  const Lease granted = answer_to(ring, nodes[4], nodes[5], request);
  CHECK(granted.grant == 77);
  CHECK(granted.right);
  CHECK_FALSE(granted.left);
  CHECK(granted.active);
  const Lease other_side = answer_to(ring, nodes[5], nodes[4], request);
  CHECK(other_side.left);
  CHECK_FALSE(other_side.right);
  const Lease refused = answer_to(ring, nodes[4], nodes[6], request);
  CHECK(refused.grant == 77);
  CHECK_FALSE(refused.left);
  CHECK_FALSE(refused.right);

  Outbox out;
  ring.node(nodes[4]).receive(ring.now(), nodes[6], Message(request), out);
  const bool corrected = std::any_of(out.sends.begin(), out.sends.end(), [&](const Send& send) {
    const auto* news = std::get_if<LeafProbe>(&send.message);
    return send.to == nodes[6] && news != nullptr &&
           std::count(news->leaf_set.begin(), news->leaf_set.end(), nodes[5]) == 1;
  });
  CHECK(corrected);
}

TEST_CASE("a grant that was not asked for, or is late, counts for nothing") {
  const Config config = small_config();
  Ring ring(config);
  const std::vector<Handle> nodes = grow(ring, 12);
  const Handle node = nodes[2];
  cut_off(ring, node);
  ring.run(config.lease + milliseconds(200));
  REQUIRE_FALSE(ring.node(node).active());
  for (const std::uint32_t grant : {0U, 1U, 12345U}) {
    Lease forged;
    forged.grant = grant;
    forged.left = forged.right = forged.active = true;
    for (const Handle from : {nodes[1], nodes[3], nodes[5]}) {
      Outbox out;
      ring.node(node).receive(ring.now(), from, Message(forged), out);
      CHECK_FALSE(ring.node(node).active());
      CHECK_FALSE(ring.node(node).holds_leases(ring.now()));
    }
  }
}

TEST_CASE("who hears nobody is suspended before another delivers its keys, and has them back") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    const Config config = small_config();
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 12);
    const Handle node = nodes[seed];
    const Key key = ring.directory().id(node);
    const std::vector<Key> keys = keys_around(ring, nodes);
    cut_off(ring, node);
    CHECK(most_roots(ring, config.lease, keys) == 1);
    CHECK_FALSE(ring.node(node).active());
    CHECK(most_roots(ring, takeover(config) - config.lease, keys) == 1);
    CHECK(deliverers(ring, key).size() == 1);
    CHECK(deliverers(ring, key) != std::vector{node});
    ring.run(seconds(20));  // alone it goes on as a ring of its own
    ring.drop = {};
    ring.run(seconds(30));
    CHECK(deliverers(ring, key) == std::vector{node});
    CHECK(ring.wrong_neighbours() == 0);
    CHECK(most_roots(ring, config.lease, keys) == 1);
  }
}

TEST_CASE("a node that was stopped acts on nothing stale, whatever waited for it") {
  for (const Duration pause : {Duration(milliseconds(3100)), Duration(seconds(4)),
                               Duration(seconds(60)), Duration(std::chrono::hours(24 * 50))}) {
    CAPTURE(pause.count());
    Ring ring(small_config(), 3);
    const std::vector<Handle> nodes = grow(ring, 12);
    const Handle node = nodes[7];
    const Key key = ring.directory().id(node);
    RouteOptions options;
    options.wants_outcome = true;
    ring.stop(node);
    std::vector<OperationId> asked;
    for (int i = 0; i < 20; ++i) {
      asked.push_back(ring.route(nodes[i % 6], key, options, std::to_string(i)));
      ring.run(milliseconds(500));
    }
    if (pause > seconds(10)) ring.run(std::min<Duration>(pause, seconds(60)) - seconds(10));
    const std::size_t before = ring.delivered.size();
    ring.resume(node);
    // What waited for it comes first, then its timers.
    const std::vector<Key> keys = keys_around(ring, nodes);
    CHECK(most_roots(ring, seconds(10), keys) == 1);
    CHECK(ring.node(node).active());
    CHECK(deliverers(ring, key) == std::vector{node});
    std::map<std::string, int> times;
    for (const Ring::Delivered& delivered : ring.delivered) ++times[delivered.text];
    for (int i = 0; i < 20; ++i) CHECK(times[std::to_string(i)] == 1);
    if (pause >= seconds(10)) CHECK(before == ring.delivered.size());
    for (const OperationId id : asked) {
      CHECK(ring.outcomes.at(id).result == RouteResult::delivered);
    }
  }
}

TEST_CASE("all stopped at once come back by themselves") {
  for (const std::size_t nodes : {2, 3, 12}) {
    CAPTURE(nodes);
    const Config config = small_config();
    Ring ring(config, nodes);
    const std::vector<Handle> all = grow(ring, nodes);
    for (const Handle node : all) ring.stop(node);
    ring.run(seconds(60));
    for (const Handle node : all) {
      ring.resume(node);
      ring.run(milliseconds(20));
    }
    CHECK(most_roots(ring, seconds(8), keys_around(ring, all)) == 1);
    CHECK(ring.wrong_neighbours() == 0);
    for (const Handle node : all) CHECK_FALSE(ring.node(node).alone());
  }
}

TEST_CASE("two that join one gap at the same time never share a key with anybody") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Ring ring(small_config(), seed);
    const std::vector<Handle> nodes = grow(ring, 2 + seed % 5);
    const NodeId& low = ring.directory().id(nodes[0]);
    const Id gap = ring.directory().id(nodes[1]) - low;
    const Handle one = ring.add(low + Id(gap.high() / 3, 1));
    const Handle two = ring.add(low + Id(gap.high() / 3 * 2, 2));
    ring.loss = seed % 2 == 0 ? 100 : 0;
    ring.join(one, {nodes[0]});
    if (seed % 3 == 0) ring.run(milliseconds(seed));
    ring.join(two, {nodes[1]});
    std::vector<Handle> all = nodes;
    all.insert(all.begin() + 1, {one, two});
    CHECK(most_roots(ring, seconds(5), keys_around(ring, all), milliseconds(1)) == 1);
    ring.loss = 0;
    ring.run(seconds(20));
    CHECK(ring.wrong_neighbours() == 0);
  }
}

TEST_CASE("neighbours that were stopped together act when all near have taken them in again") {
  // Some of the answers go astray at first: those that wait for the stopped ones tell of ways that
  // are none any more.
  for (const std::size_t size : {5U, 6U, 8U}) {
    for (const std::uint64_t seed : {1U, 6U, 11U, 14U, 15U, 17U, 19U, 33U}) {
      CAPTURE(size);
      CAPTURE(seed);
      Ring ring(small_config(), seed);
      const std::vector<Handle> nodes = grow(ring, size);
      const std::vector<Key> keys = keys_around(ring, nodes);
      for (const std::size_t i : {1U, 2U}) ring.stop(nodes[i]);
      ring.run(seconds(15) + milliseconds(137 * seed));
      for (const std::size_t i : {1U, 2U}) ring.resume(nodes[i]);
      CHECK(most_roots(ring, seconds(2), keys, milliseconds(10)) <= 1);
      CHECK(ring.wrong_neighbours() == 0);
    }
  }
}

TEST_CASE("who is back acts when those cannot any more who got a lease in its place") {
  const Config config = small_config();
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Ring ring(config, seed);
    const std::vector<Handle> nodes = grow(ring, 8);
    const std::vector<Key> keys = keys_around(ring, nodes);
    const std::vector<Handle> stopped = {nodes[1], nodes[2]};
    for (const Handle node : stopped) ring.stop(node);
    ring.run(4 * config.lease);
    // It has a lease of node 0 for keys of theirs, and does not hear that they are back.
    part(ring, stopped, nodes[3]);
    for (const Handle node : stopped) ring.resume(node);
    CHECK(most_roots(ring, 3 * config.lease, keys) <= 1);
    ring.drop = nullptr;
    ring.run(3 * config.lease);
    CHECK(ring.wrong_neighbours() == 0);
  }
}

TEST_CASE("clocks may run three per cent apart") {
  // The node's clock is slow, so that its lease seems to last; its neighbours' clocks are fast.
  const auto roots = [](int slow, int fast) {
    const Config config = small_config();
    Ring ring(config, 5);
    const std::vector<Handle> nodes = grow(ring, 8);
    for (const Handle node : nodes) ring.set_clock_speed(node, fast);
    ring.set_clock_speed(nodes[3], slow);
    ring.run(seconds(20));
    cut_off(ring, nodes[3]);
    std::size_t most = 0;
    // Cut off at any moment of the renewal: the pair asks once a second.
    for (int i = 0; i < 10; ++i) {
      most = std::max(most, most_roots(ring, seconds(8), keys_around(ring, nodes)));
      ring.drop = {};
      ring.run(seconds(20) + milliseconds(100 * i));
      cut_off(ring, nodes[3]);
    }
    return most;
  };
  CHECK(roots(1000, 1000) == 1);
  CHECK(roots(985, 1015) == 1);
  CHECK(roots(1000, 1030) == 1);
  CHECK(roots(500, 1500) == 2);  // beyond the bound the promise ends
}

TEST_CASE("rings of one, two and three: a death, and a farewell") {
  const Config config = small_config();
  {
    Ring ring(config);
    const std::vector<Handle> nodes = grow(ring, 1);
    ring.run(config.lease * 10);  // needs no lease of anybody
    CHECK(ring.node(nodes[0]).holds_leases(ring.now() + std::chrono::hours(1)));
  }
  for (const std::size_t count : {2, 3}) {
    for (const bool farewell : {false, true}) {
      CAPTURE(count);
      CAPTURE(farewell);
      Ring ring(config, count);
      const std::vector<Handle> nodes = grow(ring, count);
      const Key key = ring.directory().id(nodes[1]);
      const std::vector<Key> keys = keys_around(ring, nodes);
      farewell ? ring.leave(nodes[1]) : ring.crash(nodes[1]);
      if (farewell) {
        ring.run(milliseconds(10));
        CHECK(deliverers(ring, key).size() == 1);
      } else {
        // Its leases are waited for, perhaps it lives.
        CHECK(most_roots(ring, config.lease / 2, keys) == 1);
        CHECK(deliverers(ring, key).empty());
        CHECK(most_roots(ring, takeover(config), keys) == 1);
        CHECK(deliverers(ring, key).size() == 1);
      }
      CHECK(ring.wrong_neighbours() == 0);
      CHECK(ring.node(nodes[0]).alone() == (count == 2));
    }
  }
}

TEST_CASE("a joiner that gets no leases gives its place up, and comes in later") {
  const Config config = small_config();
  Ring ring(config, 9);
  const std::vector<Handle> nodes = grow(ring, 4);
  const Handle joiner = ring.add();
  bool left = false;
  ring.drop = [&](Handle from, const Send& send) {
    left |= from == joiner && std::holds_alternative<Leave>(send.message);
    return from == joiner && std::holds_alternative<Lease>(send.message);
  };
  ring.join(joiner, {nodes[0]});
  // By its neighbours, who know that it was not active; others have to ask.
  const auto listed = [&] {
    const auto after = std::find_if(nodes.begin(), nodes.end(), [&](Handle node) {
      return ring.directory().id(joiner) < ring.directory().id(node);
    });
    const Handle right = after == nodes.end() ? nodes.front() : *after;
    const Handle left_one = after == nodes.begin() ? nodes.back() : *std::prev(after);
    return ring.node(right).tables().leaf_set.contains(joiner) ||
           ring.node(left_one).tables().leaf_set.contains(joiner);
  };
  ring.run(milliseconds(200));
  CHECK(listed());
  for (int i = 0; i < 2000 && !left; ++i) ring.run(milliseconds(5));
  REQUIRE(left);
  ring.run(milliseconds(2));
  CHECK_FALSE(listed());
  ring.drop = nullptr;
  ring.run(config.gap_expiry);
  CHECK(ring.node(joiner).active());
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("stopped while the only other one restarts: it goes on, and they are one ring") {
  Ring ring(small_config(), 5);
  const std::vector<Handle> nodes = grow(ring, 2);
  ring.stop(nodes[0]);
  ring.run(seconds(1));
  ring.crash(nodes[1]);
  const Handle again = ring.add(ring.directory().id(nodes[1]), 2);
  ring.join(again, {nodes[0]}, true);
  ring.run(seconds(2));
  ring.resume(nodes[0]);
  ring.run(seconds(30));
  CHECK(ring.node(nodes[0]).active());
  CHECK(ring.node(again).active());
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("who gave a place up and came in since is not taken for gone when its farewell is late") {
  Ring ring(small_config(), 6);
  const std::vector<Handle> nodes = grow(ring, 5);
  const auto tell = [&](bool gives_up) {
    Outbox out;
    ring.node(nodes[1]).receive(ring.now(), nodes[2], Leave{{}, gives_up}, out);
    return ring.node(nodes[1]).tables().leaf_set.contains(nodes[2]);
  };
  CHECK(tell(true));
  CHECK_FALSE(tell(false));
}
