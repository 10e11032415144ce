// The routing procedure and the replica set as pure functions of the tables.
#include "pastry/core/routing.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

namespace {

// Rules 1 to 3 word for word, looking at every known node.
NextHop slow_next_hop(const Directory& directory, const Tables& tables, const Key& key,
                      std::span<const Handle> excluded) {
  const int b = tables.routing_table.digit_bits();
  std::set<Handle> known;
  for (const Handle node : tables.leaf_set.members()) known.insert(node);
  const std::set<Handle> leaves = known;
  tables.routing_table.for_each([&](Handle node, proximity::Proximity) { known.insert(node); });
  for (const Handle node : tables.neighbourhood.members()) known.insert(node);

  const auto closest = [&](const std::set<Handle>& nodes) {
    Handle best = kNoHandle;
    for (const Handle node : nodes) {
      const NodeId& best_id = best == kNoHandle ? tables.self() : directory.id(best);
      if (closer(key, directory.id(node), best_id)) best = node;
    }
    return best;
  };
  if (tables.leaf_set.covers(key)) {
    const Handle best = closest(leaves);
    return {best == kNoHandle ? RoutingRule::deliver : RoutingRule::leaf_set, best};
  }
  const auto is_excluded = [&](Handle node) {
    return std::find(excluded.begin(), excluded.end(), node) != excluded.end();
  };
  const int r = shared_prefix(tables.self(), key, b);
  const Handle entry = tables.routing_table.at(r, digit(key, r, b));
  if (entry != kNoHandle && !is_excluded(entry)) return {RoutingRule::routing_table, entry};

  std::set<Handle> candidates;
  bool any_excluded = entry != kNoHandle;
  for (const Handle node : known) {
    const NodeId& id = directory.id(node);
    if (shared_prefix(id, key, b) < r || !closer(key, id, tables.self())) continue;
    if (is_excluded(node)) {
      any_excluded = true;
    } else {
      candidates.insert(node);
    }
  }
  if (!candidates.empty()) return {RoutingRule::rare_case, closest(candidates)};
  const bool deliver = !any_excluded && closest(leaves) == kNoHandle;
  return {deliver ? RoutingRule::deliver : RoutingRule::stuck, kNoHandle};
}

// Any two ids share a random number of leading bits, so that deep rows and gaps occur.
std::vector<NodeId> clustered_ids(std::size_t count, Random& random) {
  std::vector<NodeId> ids{random.below(2) == 0 ? kZeroId : kLastId};
  while (ids.size() < count) {
    const Id base = ids[random.below(ids.size())];
    const std::uint64_t shared = random.below(40);
    const std::uint64_t mask = shared == 0 ? UINT64_MAX : UINT64_MAX >> shared;
    ids.emplace_back(base.high() ^ (random.next() & mask), random.next());
  }
  return ids;
}

}  // namespace

TEST_CASE("Pastry 2.2: next hop equals the rules word for word on random tables, b = 1 … 8") {
  int seen[5] = {};
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const int b = 1 + static_cast<int>(seed % 8);
    const std::vector<NodeId> ids = clustered_ids(2 + random.below(60), random);
    Directory directory;
    Tables tables(directory, ids[0], b, 2 << random.below(4), static_cast<int>(random.below(9)));
    std::vector<Handle> nodes;
    for (std::size_t i = 1; i < ids.size(); ++i) {
      nodes.push_back(directory.intern(peer(ids[i])));
      const Proximity distance = rtt(static_cast<std::int64_t>(random.below(100)));
      tables.leaf_set.insert(nodes.back());
      if (random.below(3) != 0) tables.routing_table.consider(nodes.back(), distance);
      tables.neighbourhood.consider(nodes.back(), distance);
    }
    // Holes as failures leave them.
    for (std::uint64_t i = random.below(6); i > 0; --i) {
      tables.leaf_set.remove(nodes[random.below(nodes.size())]);
    }
    for (int i = 0; i < 200; ++i) {
      CAPTURE(i);
      const Key key = clustered_ids(3, random).back() + ids[random.below(ids.size())];
      std::vector<Handle> excluded;
      for (std::uint64_t j = random.below(2) * random.below(nodes.size() + 1); j > 0; --j) {
        excluded.push_back(nodes[random.below(nodes.size())]);
      }
      const NextHop next = next_hop(directory, tables, key, excluded);
      const NextHop expected = slow_next_hop(directory, tables, key, excluded);
      CHECK(next.rule == expected.rule);
      CHECK(next.node == expected.node);
      ++seen[static_cast<int>(next.rule)];
    }
  }
  // The comparison means something only if every rule occurred.
  for (const int count : seen) CHECK(count > 100);
}

TEST_CASE("routing: an only node delivers everything") {
  Directory directory;
  const Tables tables(directory, Id(3, 3), 4, 16, 16);
  for (const Key& key : {kZeroId, kLastId, Id(3, 3)}) {
    const NextHop next = next_hop(directory, tables, key);
    CHECK(next.rule == RoutingRule::deliver);
    CHECK(next.node == kNoHandle);
  }
}

namespace {

// Six nodes at 10, 20, … 60 with the given domains; the own one is the first.
struct Domains {
  Directory directory;
  std::vector<Handle> nodes;
  Tables tables;

  explicit Domains(const std::vector<std::string>& labels)
      : tables(directory, Id(0, 10), 4, 16, 0) {
    for (std::uint32_t i = 0; i < labels.size(); ++i) {
      nodes.push_back(directory.intern(peer(Id(0, 10 * (i + 1)), 1, i, labels[i])));
      tables.leaf_set.insert(nodes.back());
    }
  }

  std::vector<int> replicas(std::uint64_t key, int k) const {
    std::vector<int> result;
    for (const Handle node : replica_set(directory, tables, nodes[0], Id(0, key), k)) {
      result.push_back(static_cast<int>(directory.id(node).low()));
    }
    return result;
  }
};

using Ids = std::vector<int>;

}  // namespace

TEST_CASE("PAST 2.2: the replica set is the k closest, nearest first, this node among them") {
  const Domains ring({"", "", "", "", "", ""});
  CHECK(ring.replicas(21, 1) == Ids{20});
  CHECK(ring.replicas(21, 3) == Ids{20, 30, 10});
  CHECK(ring.replicas(0, 2) == Ids{10, 20});
  CHECK(ring.replicas(61, 6) == Ids{60, 50, 40, 30, 20, 10});
  CHECK(ring.replicas(61, 9).size() == 6);
  CHECK(ring.replicas(61, 0).empty());
  CHECK(ring.replicas(61, -1).empty());
}

TEST_CASE("replica set: skips domains already used, then fills up from the skipped") {
  const Domains two({"a", "a", "a", "a", "b", "b"});
  CHECK(two.replicas(11, 1) == Ids{10});
  CHECK(two.replicas(11, 2) == Ids{10, 50});
  CHECK(two.replicas(11, 3) == Ids{10, 20, 50});
  CHECK(two.replicas(11, 5) == Ids{10, 20, 30, 40, 50});
  CHECK(two.replicas(41, 2) == Ids{40, 50});
  const Domains mixed({"a", "a", "", "", "a", "b"});
  CHECK(mixed.replicas(11, 3) == Ids{10, 30, 40});
  CHECK(mixed.replicas(11, 4) == Ids{10, 30, 40, 60});
  CHECK(mixed.replicas(11, 5) == Ids{10, 20, 30, 40, 60});
}

TEST_CASE("replica set: nodes of one process are one domain") {
  Directory directory;
  Tables tables(directory, Id(0, 10), 4, 16, 0);
  std::vector<Handle> nodes;
  for (std::uint32_t i = 0; i < 6; ++i) {
    nodes.push_back(directory.intern(peer(Id(0, 10 * (i + 1)), 1, i / 3)));
    tables.leaf_set.insert(nodes.back());
  }
  CHECK(replica_set(directory, tables, nodes[0], Id(0, 11), 2) ==
        std::vector<Handle>{nodes[0], nodes[3]});
}

TEST_CASE("replica set: whom the root chooses finds itself in its own, and who is sure agrees") {
  Random random(33);
  int sure = 0;
  int unsure = 0;
  for (std::uint32_t round = 0; round < 1500; ++round) {
    CAPTURE(round);
    // Few domains with many nodes each, rings from hardly larger than a leaf set upwards.
    const std::size_t size = 4 + random.below(30);
    const auto domains = static_cast<std::uint32_t>(1 + random.below(8));
    const int leaf_set = 2 << random.below(4);
    const int half = leaf_set / 2;
    std::vector<NodeId> ids;
    for (std::size_t i = 0; i < size; ++i) ids.push_back(random.id());
    std::sort(ids.begin(), ids.end());
    Directory directory;
    std::vector<Handle> nodes;
    for (const NodeId& id : ids) {
      nodes.push_back(
          directory.intern(peer(id, 1, static_cast<std::uint32_t>(random.below(domains)))));
    }
    std::vector<Tables> tables;
    for (std::size_t i = 0; i < size; ++i) {
      tables.emplace_back(directory, ids[i], 4, leaf_set, 0);
      for (int step = -half; step <= half; ++step) {
        const auto other = (i + 64 * size + static_cast<std::size_t>(step)) % size;
        if (other != i) tables[i].leaf_set.insert(nodes[other]);
      }
    }
    for (int tries = 0; tries < 10; ++tries) {
      const Key key = random.id();
      const int k = 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(half) + 1));
      const auto root = static_cast<std::size_t>(
          std::min_element(ids.begin(), ids.end(),
                           [&](const NodeId& a, const NodeId& b) { return closer(key, a, b); }) -
          ids.begin());
      const auto set_of = [&](std::size_t node, int copies) {
        return replica_set(directory, tables[node], nodes[node], key, copies);
      };
      const auto chosen = set_of(root, k);
      CHECK(knows_replica_set(directory, tables[root], nodes[root], key, k));
      for (std::size_t i = 0; i < size; ++i) {
        const bool member = std::find(chosen.begin(), chosen.end(), nodes[i]) != chosen.end();
        for (const int copies : {k, half + 1}) {
          if (!member) continue;
          const auto own = set_of(i, copies);
          CHECK(std::find(own.begin(), own.end(), nodes[i]) != own.end());
        }
        const bool knows = knows_replica_set(directory, tables[i], nodes[i], key, k);
        if (knows) CHECK(set_of(i, k) == chosen);
        if (member) ++(knows ? sure : unsure);
      }
    }
  }
  // The comparison means something only if both occurred.
  CHECK(sure > 10000);
  CHECK(unsure > 1000);
}

TEST_CASE("PAST 2.2: the root knows the k closest, k up to l/2 + 1, across the wrap") {
  std::vector<NodeId> ids = random_ids(60, 31);
  ids.push_back(kZeroId);
  ids.push_back(kLastId);
  PerfectRing ring(ids, 4, 16, 0, 32);
  for (int i = 0; i < 300; ++i) {
    const Key key = i % 3 == 0 ? Id(0, 40) - Id(0, ring.random().below(80)) : ring.random().id();
    const int k = 1 + static_cast<int>(ring.random().below(9));
    std::vector<std::size_t> nearest(ring.size());
    for (std::size_t n = 0; n < nearest.size(); ++n) nearest[n] = n;
    std::sort(nearest.begin(), nearest.end(), [&](std::size_t a, std::size_t b) {
      return closer(key, ring.ids()[a], ring.ids()[b]);
    });
    std::vector<Handle> expected;
    for (int n = 0; n < k; ++n)
      expected.push_back(ring.handle(nearest[static_cast<std::size_t>(n)]));
    const std::size_t root = nearest[0];
    CHECK(replica_set(ring.directory(), ring.tables(root), ring.handle(root), key, k) == expected);
  }
}
