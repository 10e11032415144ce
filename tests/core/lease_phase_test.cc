// When the two leases of a node are renewed (leases.h).
#include <map>
#include <utility>

#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::grow;
using pastry::test::Ring;
using pastry::test::small_config;

TEST_CASE("a lease may be as short as a few probes") {
  Config config = small_config();
  config.lease = seconds(4);
  config.probe_timeout = seconds(3);
  REQUIRE(config.lease_renewal() <= config.probe_timeout / 3);
  Ring ring(config);
  const std::vector<Handle> nodes = grow(ring, 6);
  ring.run(seconds(30));
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("neighbours whose round trip takes most of a probe's timeout keep their leases") {
  const Config config = small_config();
  Ring ring(config);
  const std::vector<Handle> nodes = grow(ring, 8);
  ring.delay = config.probe_timeout * 2 / 5;
  for (int second = 0; second < 60; ++second) {
    ring.run(seconds(1));
    for (const Handle node : nodes) CHECK(ring.node(node).active());
  }
  CHECK(ring.wrong_neighbours() == 0);
}

TEST_CASE("a node renews its two leases half a period apart") {
  const Config config = small_config();
  Ring ring(config);
  const std::vector<Handle> nodes = grow(ring, 12);
  std::map<std::pair<Handle, Handle>, Time> begun;  // the last exchange of a pair, left one first
  ring.drop = [&](Handle from, const Send& send) {
    const auto* lease = std::get_if<Lease>(&send.message);
    if (lease == nullptr || lease->grant != 0) return false;
    const bool leftwards = ring.node(from).tables().leaf_set.left_neighbour() == send.to;
    begun[leftwards ? std::pair{send.to, from} : std::pair{from, send.to}] = ring.now();
    return false;
  };
  ring.run(seconds(60));
  const Duration period = config.lease_renewal() - config.probe_timeout / 3;
  std::size_t apart_enough = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Handle left = nodes[(i + nodes.size() - 1) % nodes.size()];
    const Handle right = nodes[(i + 1) % nodes.size()];
    REQUIRE(begun.contains({left, nodes[i]}));
    REQUIRE(begun.contains({nodes[i], right}));
    const Duration apart = (begun[{left, nodes[i]}] - begun[{nodes[i], right}]) % period;
    const Duration behind = apart < Duration::zero() ? apart + period : apart;
    apart_enough += behind > period / 4 && behind < period * 3 / 4;
  }
  CHECK(apart_enough >= nodes.size() - 1);  // one may just be on its way there
}
