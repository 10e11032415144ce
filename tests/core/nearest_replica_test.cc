// Near its key a replica lookup goes to the nearest of the k, and never backwards.
#include "pastry/core/nearest_replica.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

namespace {

// Positions of the k nodes closest to the key, from the sorted list alone.
std::set<std::size_t> closest(const PerfectRing& ring, const Key& key, std::size_t k) {
  std::vector<std::size_t> order(ring.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return closer(key, ring.ids()[a], ring.ids()[b]);
  });
  order.resize(std::min(k, order.size()));
  return {order.begin(), order.end()};
}

}  // namespace

TEST_CASE("Pastry 2.5: replica lookups come to one of the k, each hop nearer to the key") {
  constexpr int kDigitBits = 3;
  constexpr int kReplicas = 5;
  PerfectRing ring(random_ids(2000, 5), kDigitBits, 8, 16, 5);
  std::size_t chosen = 0;
  std::size_t prefix_would_differ = 0;
  for (int i = 0; i < 2000; ++i) {
    CAPTURE(i);
    const Key key = ring.random().id();
    const std::set<std::size_t> holders = closest(ring, key, kReplicas);
    std::size_t here = ring.random().below(ring.size());
    int hops = 0;
    for (; !holders.contains(here); ++hops) {
      REQUIRE(hops < 12);
      const Tables& tables = ring.tables(here);
      const NextHop ordinary = next_hop(ring.directory(), tables, key);
      const Handle near =
          nearest_replica(ring.directory(), tables, ring.handle(here), key, kReplicas, {});
      if (near != kNoHandle) {
        ++chosen;
        if (near != ordinary.node) ++prefix_would_differ;
        const NodeId& id = ring.directory().id(near);
        CHECK(closer(key, id, tables.self()));
        if (!tables.leaf_set.covers(key)) {
          CHECK(shared_prefix(id, key, kDigitBits) >=
                shared_prefix(tables.self(), key, kDigitBits));
        }
      }
      here = ring.position(near != kNoHandle ? near : ordinary.node);
    }
  }
  CHECK(chosen > 1000);
  CHECK(prefix_would_differ > 300);
}

TEST_CASE(
    "Pastry 2.5: in a ring hardly larger than the leaf set no replica lookup goes in circles") {
  constexpr int kReplicas = 3;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    PerfectRing ring(random_ids(6 + seed % 8, seed), 1, 4, 3, seed);
    for (int i = 0; i < 200; ++i) {
      const Key key = ring.random().id();
      const std::set<std::size_t> holders = closest(ring, key, kReplicas);
      std::size_t here = ring.random().below(ring.size());
      for (int hops = 0; !holders.contains(here); ++hops) {
        REQUIRE(hops < 12);
        const Tables& tables = ring.tables(here);
        Handle next =
            nearest_replica(ring.directory(), tables, ring.handle(here), key, kReplicas, {});
        if (next == kNoHandle) next = next_hop(ring.directory(), tables, key).node;
        here = ring.position(next);
      }
    }
  }
}

TEST_CASE("Pastry 2.5: the nearest of the replica set is taken unless it is excluded") {
  Directory directory;
  Tables tables(directory, Id(1000, 0), 4, 8, 8);
  std::vector<Handle> leaves;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    leaves.push_back(
        directory.intern(peer(Id(1000 + 10 * i, 0), 1, static_cast<std::uint32_t>(i))));
    tables.leaf_set.insert(leaves.back());
    tables.leaf_set.insert(
        directory.intern(peer(Id(1000 - 10 * i, 0), 1, 100 + static_cast<std::uint32_t>(i))));
  }
  const Handle self = directory.intern(peer(Id(1000, 0), 1, 99));
  const Key key(1031, 0);
  // Closest by id: 1030, 1040, 1020. The last is the nearest; nothing is known of 1030.
  tables.neighbourhood.consider(leaves[3], rtt(20));
  tables.neighbourhood.consider(leaves[1], rtt(10));
  CHECK(nearest_replica(directory, tables, self, key, 3, {}) == leaves[1]);
  CHECK(nearest_replica(directory, tables, self, key, 2, {}) == leaves[3]);
  CHECK(nearest_replica(directory, tables, self, key, 1, {}) == leaves[2]);
  const std::vector<Handle> excluded{leaves[1]};
  CHECK(nearest_replica(directory, tables, self, key, 3, excluded) == leaves[3]);
  CHECK(nearest_replica(directory, tables, self, key, 3, leaves) == kNoHandle);
  // One of the k itself: the ordinary rules go to the root.
  CHECK(nearest_replica(directory, tables, self, key, 5, {}) == kNoHandle);
}

TEST_CASE("Pastry 2.5: beyond the leaf set the span of the k is estimated from its density") {
  Directory directory;
  const Id spacing(std::uint64_t{1} << 48, 0);
  Id left(0x8000000000000000, 0);
  Tables tables(directory, left, 4, 4, 8);
  Id right = left;
  for (std::uint32_t i = 1; i <= 2; ++i) {
    left = left - spacing;
    right = right + spacing;
    tables.leaf_set.insert(directory.intern(peer(left, 1, i)));
    tables.leaf_set.insert(directory.intern(peer(right, 1, 100 + i)));
  }
  const Handle self = directory.intern(peer(tables.self(), 1, 99));
  const Key key(0x8100000000000000, 0);  // 256 nodes away
  const Handle inside = directory.intern(peer(key - spacing, 1, 200));
  const Handle outside = directory.intern(peer(key - spacing - spacing - spacing, 1, 201));
  tables.neighbourhood.consider(outside, rtt(1));
  CHECK(nearest_replica(directory, tables, self, key, 4, {}) == kNoHandle);
  tables.neighbourhood.consider(inside, rtt(50));
  CHECK(nearest_replica(directory, tables, self, key, 4, {}) == inside);
  CHECK(nearest_replica(directory, tables, self, key, 1, {}) == kNoHandle);
  CHECK(nearest_replica(directory, tables, self, key, 8, {}) == outside);
}
