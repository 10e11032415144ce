// What a node's tables and a peer cost in live heap.
#include <doctest/doctest.h>

#include <memory>

#include "tests/core/live_heap.h"
#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

TEST_CASE("memory: the three tables of a node in a ring of 10,000 take at most 1 KiB") {
  PerfectRing ring(random_ids(10000, 41), 4, 32, 32, 42);
  constexpr std::size_t kNodes = 100;
  std::vector<std::unique_ptr<Tables>> nodes;
  nodes.reserve(kNodes);
  std::size_t tables_bytes = 0;
  for (std::size_t i = 0; i < kNodes; ++i) {
    const Tables& whole = ring.tables(ring.random().below(ring.size()));
    std::vector<Handle> known = whole.leaf_set.members();
    whole.routing_table.for_each([&](Handle node, proximity::Proximity) { known.push_back(node); });
    const std::vector<Handle> near = whole.neighbourhood.members();
    for (std::size_t n = known.size(); n > 1; --n) {
      std::swap(known[n - 1], known[ring.random().below(n)]);
    }
    const std::size_t before = live_heap_bytes();
    nodes.push_back(std::make_unique<Tables>(ring.directory(), whole.self(), 4, 32, 32));
    for (const Handle node : known) {
      nodes.back()->leaf_set.insert(node);
      nodes.back()->routing_table.consider(node, rtt(1));
    }
    for (const Handle node : near) nodes.back()->neighbourhood.consider(node, rtt(1));
    tables_bytes += live_heap_bytes() - before;
    CHECK(nodes.back()->leaf_set.distinct_size() == 32);
    CHECK(nodes.back()->neighbourhood.size() == near.size());
    CHECK(nodes.back()->routing_table.size() >= whole.routing_table.size());
  }
  const std::size_t per_node = tables_bytes / kNodes;
  CAPTURE(per_node);
  CHECK(per_node <= 1024);
  CHECK(per_node > 500);
}

TEST_CASE("memory: a peer on a process of its own takes at most 200 bytes of the directory") {
  constexpr std::uint32_t kPeers = 10000;
  Random random(43);
  const std::size_t before = live_heap_bytes();
  const auto directory = std::make_unique<Directory>();
  for (std::uint32_t i = 0; i < kPeers; ++i) directory->intern(peer(random.id(), 1, i));
  const std::size_t per_peer = (live_heap_bytes() - before) / kPeers;
  CAPTURE(per_peer);
  CHECK(directory->size() == kPeers);
  CHECK(per_peer <= 200);
  CHECK(per_peer > 30);
}
