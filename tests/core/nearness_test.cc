// Who is near, as the tables tell.
#include "pastry/core/nearness.h"

#include <doctest/doctest.h>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

TEST_CASE("nearest peers: of both tables, each once, by distance, unknown ones left out") {
  Directory directory;
  Tables tables(directory, Id(0x8000000000000000, 0), 4, 8, 3);
  std::vector<Handle> nodes;
  // Different first digits: each has a slot of its own in row 0.
  for (std::uint64_t i = 0; i < 6; ++i) {
    nodes.push_back(directory.intern(peer(Id((i + 1) << 60, 0), 1, static_cast<std::uint32_t>(i))));
  }
  for (std::size_t i = 0; i < 5; ++i) {
    const auto distance = rtt(static_cast<std::int64_t>(100 * (5 - i)));
    tables.routing_table.consider(nodes[i], distance);
    tables.neighbourhood.consider(nodes[i], distance);
  }
  tables.routing_table.consider(nodes[5], Proximity());
  REQUIRE(tables.neighbourhood.size() == 3);

  const auto handles = [](const std::vector<Neighbour>& peers) {
    std::vector<Handle> result;
    for (const Neighbour& peer : peers) result.push_back(peer.node);
    return result;
  };
  const std::vector<Handle> order{nodes[4], nodes[3], nodes[2], nodes[1], nodes[0]};
  CHECK(handles(nearest_peers(directory, tables, 99)) == order);
  CHECK(handles(nearest_peers(directory, tables, 2)) == std::vector<Handle>{nodes[4], nodes[3]});
  CHECK(nearest_peers(directory, tables, 0).empty());
  CHECK(nearest_peers(directory, tables, 1)[0].distance == rtt(100));

  CHECK(handles(peers_within(directory, tables, rtt(300))) ==
        std::vector<Handle>{nodes[4], nodes[3], nodes[2]});
  CHECK(peers_within(directory, tables, rtt(99)).empty());
  CHECK(peers_within(directory, tables, rtt(1000)).size() == 5);

  CHECK(distance_to(directory, tables, nodes[0]) == rtt(500));  // in R only
  CHECK(distance_to(directory, tables, nodes[4]) == rtt(100));
  CHECK_FALSE(distance_to(directory, tables, nodes[5]).known());
}

TEST_CASE("nearest peers: those equally far stand in the order of their ids") {
  Directory directory;
  Tables tables(directory, Id(0, 1), 4, 8, 8);
  for (const std::uint64_t id : {5, 3, 9}) {
    tables.neighbourhood.consider(directory.intern(peer(Id(id, 0))), rtt(7));
  }
  const auto peers = nearest_peers(directory, tables, 3);
  REQUIRE(peers.size() == 3);
  CHECK(directory.id(peers[0].node) == Id(3, 0));
  CHECK(directory.id(peers[2].node) == Id(9, 0));
}
