#include "pastry/core/leaf_set.h"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

namespace {

// A directory with nodes at small offsets around an own id.
struct Circle {
  Directory directory;
  NodeId self;
  LeafSet leaf_set;

  Circle(const NodeId& own, int size) : self(own), leaf_set(directory, own, size) {}

  Handle at(std::int64_t offset, std::uint64_t incarnation = 1) {
    const Id step(0, static_cast<std::uint64_t>(offset < 0 ? -offset : offset));
    return directory.intern(peer(offset < 0 ? self - step : self + step, incarnation));
  }
  std::vector<std::int64_t> offsets(std::span<const Handle> nodes) const {
    std::vector<std::int64_t> result;
    for (const Handle node : nodes) {
      result.push_back(static_cast<std::int64_t>((directory.id(node) - self).low()));
    }
    return result;
  }
};

using Offsets = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("leaf set: alone it knows the whole ring and is the closest") {
  const Circle circle(Id(7, 7), 8);
  CHECK(circle.leaf_set.knows_whole_ring());
  CHECK(circle.leaf_set.complete());
  CHECK(circle.leaf_set.empty());
  CHECK(circle.leaf_set.covers(kZeroId));
  CHECK(circle.leaf_set.closest(kLastId) == kNoHandle);
  CHECK(circle.leaf_set.closest(kLastId, 5) == std::vector<Handle>{kNoHandle});
  CHECK(circle.leaf_set.left_neighbour() == kNoHandle);
  CHECK(circle.leaf_set.right_neighbour() == kNoHandle);
  CHECK(circle.leaf_set.mean_spacing() == Id(1ULL << 63, 0));
}

TEST_CASE("leaf set: rings of two and three") {
  Circle circle(Id(7, 7), 2);
  CHECK(circle.leaf_set.insert(circle.at(10)));
  CHECK(circle.leaf_set.left_neighbour() == circle.at(10));
  CHECK(circle.leaf_set.right_neighbour() == circle.at(10));
  CHECK(circle.leaf_set.knows_whole_ring());
  CHECK(circle.leaf_set.distinct_size() == 1);
  CHECK(circle.leaf_set.members() == std::vector<Handle>{circle.at(10)});
  CHECK(circle.leaf_set.mean_spacing() == Id(UINT64_MAX >> 1, UINT64_MAX));

  CHECK(circle.leaf_set.insert(circle.at(-3)));
  CHECK(circle.leaf_set.left_neighbour() == circle.at(-3));
  CHECK(circle.leaf_set.right_neighbour() == circle.at(10));
  // As many as fit, but nobody in both: the ring may be larger.
  CHECK_FALSE(circle.leaf_set.knows_whole_ring());
  CHECK(circle.leaf_set.complete());
  CHECK_FALSE(circle.leaf_set.covers(circle.self + Id(0, 11)));
}

TEST_CASE("Pastry 2.1: half the set with the nearest smaller, half with the nearest larger ids") {
  for (const NodeId& self : {Id(5, 5), kZeroId, kLastId, Id(0, 2), kLastId - Id(0, 1)}) {
    Circle circle(self, 4);
    for (const std::int64_t offset : {9, -9, 3, -1, 2, -7, 30, -30}) {
      circle.leaf_set.insert(circle.at(offset));
    }
    CHECK(circle.offsets(circle.leaf_set.left()) == Offsets{-1, -7});
    CHECK(circle.offsets(circle.leaf_set.right()) == Offsets{2, 3});
    CHECK(circle.offsets(circle.leaf_set.members()) == Offsets{-7, -1, 2, 3});
    CHECK(circle.leaf_set.complete());
    CHECK_FALSE(circle.leaf_set.knows_whole_ring());
    for (const std::int64_t offset : {-7, -5, 0, 1, 3}) {
      CHECK(circle.leaf_set.covers(circle.directory.id(circle.at(offset))));
    }
    CHECK_FALSE(circle.leaf_set.covers(circle.directory.id(circle.at(-8))));
    CHECK_FALSE(circle.leaf_set.covers(circle.directory.id(circle.at(4))));
    CHECK(circle.leaf_set.mean_spacing() == Id(0, 2));
  }
}

TEST_CASE("leaf set: the own id and ids already there change nothing") {
  Circle circle(Id(5, 5), 4);
  CHECK_FALSE(circle.leaf_set.insert(circle.at(0)));
  CHECK(circle.leaf_set.insert(circle.at(4)));
  CHECK_FALSE(circle.leaf_set.insert(circle.at(4)));
  CHECK_FALSE(circle.leaf_set.would_admit(circle.self));
  CHECK_FALSE(circle.leaf_set.would_admit(circle.directory.id(circle.at(4))));
  CHECK(circle.leaf_set.would_admit(circle.directory.id(circle.at(100))));
}

TEST_CASE("leaf set: a higher incarnation replaces, a lower or equal one does not") {
  Circle circle(Id(5, 5), 4);
  const Handle old = circle.at(4, 2);
  const Handle older = circle.at(4, 1);
  const Handle fresh = circle.at(4, 3);
  CHECK(circle.leaf_set.insert(old));
  CHECK_FALSE(circle.leaf_set.insert(older));
  CHECK(circle.leaf_set.find(circle.directory.id(old)) == old);
  CHECK(circle.leaf_set.insert(fresh));
  CHECK(circle.leaf_set.find(circle.directory.id(old)) == fresh);
  CHECK_FALSE(circle.leaf_set.contains(old));
  CHECK(circle.leaf_set.distinct_size() == 1);
  CHECK_FALSE(circle.leaf_set.remove(old));
  CHECK(circle.leaf_set.remove(fresh));
  CHECK(circle.leaf_set.empty());
}

TEST_CASE(
    "leaf set: a side that lost a member waits for the next nearest, not for the other side") {
  Circle circle(Id(5, 5), 4);
  for (const std::int64_t offset : {-1, -2, 1, 2}) circle.leaf_set.insert(circle.at(offset));
  CHECK(circle.leaf_set.remove(circle.at(-1)));
  CHECK(circle.offsets(circle.leaf_set.left()) == Offsets{-2});
  CHECK_FALSE(circle.leaf_set.complete());
  CHECK_FALSE(circle.leaf_set.knows_whole_ring());
  CHECK(circle.leaf_set.would_admit(circle.self - Id(0, 1000)));
  CHECK(circle.leaf_set.insert(circle.at(-3)));
  CHECK(circle.leaf_set.complete());
}

TEST_CASE("leaf set: at the same distance the numerically smaller id is the closest") {
  Circle circle(Id(5, 5), 4);
  circle.leaf_set.insert(circle.at(4));
  circle.leaf_set.insert(circle.at(-4));
  CHECK(circle.leaf_set.closest(circle.self + Id(0, 2)) == kNoHandle);
  CHECK(circle.leaf_set.closest(circle.self - Id(0, 2)) == circle.at(-4));
  CHECK(circle.leaf_set.closest(circle.self + Id(0, 3)) == circle.at(4));
}

namespace {

// The rules of a leaf set in the most literal way: two maps from distance to node.
class LeafSetModel {
 public:
  LeafSetModel(const Directory& directory, const NodeId& self, int size)
      : directory_(directory), self_(self), half_(static_cast<std::size_t>(size / 2)) {}

  bool insert(Handle node) {
    const NodeId& id = directory_.id(node);
    if (id == self_) return false;
    const auto before = sides_;
    for (auto& side : sides_) {
      for (auto& [distance, member] : side) {
        if (directory_.id(member) != id || member == node) continue;
        if (directory_.incarnation(member) >= directory_.incarnation(node)) return false;
        member = node;
      }
    }
    for (int way : {0, 1}) {
      auto& side = sides_[way];
      if (side.size() < half_ || distance(id, way) < side.rbegin()->first) {
        side[distance(id, way)] = node;
      }
      while (side.size() > half_) side.erase(std::prev(side.end()));
    }
    for (int way : {0, 1}) {
      auto& side = sides_[way];
      for (const auto& [unused, member] : sides_[1 - way]) {
        const Id away = distance(directory_.id(member), way);
        if (!side.empty() && away < side.rbegin()->first) side[away] = member;
      }
      while (side.size() > half_) side.erase(std::prev(side.end()));
    }
    return sides_ != before;
  }

  bool remove(Handle node) {
    std::size_t removed = 0;
    for (auto& side : sides_) {
      removed += std::erase_if(side, [node](const auto& entry) { return entry.second == node; });
    }
    return removed != 0;
  }

  void clear() { sides_ = {}; }

  std::vector<Handle> side(int way) const {
    std::vector<Handle> result;
    for (const auto& [distance, member] : sides_[way]) result.push_back(member);
    return result;
  }

  std::set<Handle> members() const {
    std::set<Handle> result;
    for (int way : {0, 1}) {
      for (const Handle node : side(way)) result.insert(node);
    }
    return result;
  }

  bool knows_whole_ring() const {
    return members().empty() || members().size() < sides_[0].size() + sides_[1].size();
  }

  bool covers(const Key& key) const {
    bool result = knows_whole_ring() || key == self_;
    for (int way : {0, 1}) {
      result |= !sides_[way].empty() && distance(key, way) <= sides_[way].rbegin()->first;
    }
    return result;
  }

  bool would_admit(const NodeId& id) const {
    if (id == self_) return false;
    for (const Handle node : members()) {
      if (directory_.id(node) == id) return false;
    }
    bool result = false;
    for (int way : {0, 1}) {
      result |= sides_[way].size() < half_ || distance(id, way) < sides_[way].rbegin()->first;
    }
    return result;
  }

  Handle closest(const Key& key) const {
    Handle best = kNoHandle;
    NodeId best_id = self_;
    for (const Handle node : members()) {
      if (!closer(key, directory_.id(node), best_id)) continue;
      best = node;
      best_id = directory_.id(node);
    }
    return best;
  }

 private:
  Id distance(const Id& id, int way) const { return way == 0 ? self_ - id : id - self_; }

  const Directory& directory_;
  NodeId self_;
  std::size_t half_;
  std::array<std::map<Id, Handle>, 2> sides_;
};

std::vector<Handle> to_vector(std::span<const Handle> nodes) {
  return {nodes.begin(), nodes.end()};
}

void check_same(const LeafSet& leaf_set, const LeafSetModel& model) {
  REQUIRE(to_vector(leaf_set.left()) == model.side(0));
  REQUIRE(to_vector(leaf_set.right()) == model.side(1));
  const std::vector<Handle> members = leaf_set.members();
  CHECK(std::set<Handle>(members.begin(), members.end()) == model.members());
  CHECK(members.size() == model.members().size());
  CHECK(leaf_set.distinct_size() == members.size());
  CHECK(leaf_set.empty() == members.empty());
  CHECK(leaf_set.knows_whole_ring() == model.knows_whole_ring());
  const std::size_t half = static_cast<std::size_t>(leaf_set.capacity() / 2);
  CHECK(leaf_set.complete() == (model.knows_whole_ring() ||
                                (model.side(0).size() == half && model.side(1).size() == half)));
}

void check_ring_order(const LeafSet& leaf_set, const Directory& directory, const NodeId& self) {
  const std::vector<Handle> members = leaf_set.members();
  if (members.empty()) return;
  // Going up from the first, the distances grow, and the own id lies where the sides meet.
  const NodeId start = leaf_set.left().empty() ? self : directory.id(members.front());
  Id previous;
  for (const Handle node : members) {
    const Id distance = directory.id(node) - start;
    CHECK((distance > previous || node == members.front()));
    previous = distance;
  }
}

void check_questions(const LeafSet& leaf_set, const LeafSetModel& model, const Directory& directory,
                     const NodeId& self, const Key& key, Handle node) {
  CHECK(leaf_set.covers(key) == model.covers(key));
  CHECK(leaf_set.closest(key) == model.closest(key));
  CHECK(leaf_set.would_admit(key) == model.would_admit(key));
  CHECK(leaf_set.contains(node) == (model.members().count(node) != 0));
  const std::vector<Handle> nearest = leaf_set.closest(key, 1000);
  CHECK(nearest.size() == model.members().size() + 1);
  CHECK(nearest.front() == model.closest(key));
  const auto id_of = [&](Handle member) {
    return member == kNoHandle ? self : directory.id(member);
  };
  for (std::size_t i = 1; i < nearest.size(); ++i) {
    CHECK(closer(key, id_of(nearest[i - 1]), id_of(nearest[i])));
  }
  for (const std::size_t count : {0, 1, 3}) {
    const std::vector<Handle> some = leaf_set.closest(key, count);
    CHECK(some.size() == std::min(count, nearest.size()));
    CHECK(std::equal(some.begin(), some.end(), nearest.begin()));
  }
}

// Ids that lie close together and around zero as often as anywhere.
Id any_id(Random& random) {
  switch (random.below(4)) {
    case 0:
      return random.id();
    case 1:
      return Id(0, random.below(40)) - Id(0, 20);
    case 2:
      return Id(random.below(8) << 61, 0);
    default:
      return Id(random.below(3) << 62, random.below(6));
  }
}

}  // namespace

TEST_CASE("leaf set: long random sequences against a model") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const int size = std::array{2, 4, 8, 16, 32}[random.below(5)];
    CAPTURE(size);
    const NodeId self = any_id(random);
    Directory directory;
    LeafSet leaf_set(directory, self, size);
    LeafSetModel model(directory, self, size);
    const std::uint64_t universe = 2 + random.below(60);
    std::vector<NodeId> ids;
    for (std::uint64_t i = 0; i < universe; ++i) ids.push_back(any_id(random));
    for (int step = 0; step < 300; ++step) {
      CAPTURE(step);
      const NodeId& id = ids[random.below(universe)];
      const Handle node = directory.intern(peer(id, 1 + random.below(2)));
      const std::uint64_t action = random.below(40);
      if (action == 0) {
        leaf_set.clear();
        model.clear();
      } else if (action < 15) {
        CHECK(leaf_set.remove(node) == model.remove(node));
      } else {
        CHECK(leaf_set.insert(node) == model.insert(node));
      }
      check_same(leaf_set, model);
      check_ring_order(leaf_set, directory, self);
      check_questions(leaf_set, model, directory, self,
                      random.below(2) == 0 ? any_id(random) : ids[random.below(universe)], node);
    }
  }
}

TEST_CASE("Pastry 2.1: whatever the order of arrival, the set equals the sorted ring") {
  for (const std::size_t nodes : {1, 2, 3, 4, 7, 8, 9, 10, 30}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      CAPTURE(nodes);
      CAPTURE(seed);
      Random random(seed);
      std::vector<NodeId> ids{kZeroId};
      if (nodes > 1) ids.push_back(kLastId);
      while (ids.size() < nodes) ids.push_back(any_id(random));
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      Directory directory;
      const std::size_t own = random.below(ids.size());
      LeafSet leaf_set(directory, ids[own], 8);
      std::vector<NodeId> arriving = ids;
      for (std::size_t i = arriving.size(); i > 1; --i) {
        std::swap(arriving[i - 1], arriving[random.below(i)]);
      }
      for (const NodeId& id : arriving) leaf_set.insert(directory.intern(peer(id)));
      const std::size_t expected = std::min<std::size_t>(4, ids.size() - 1);
      REQUIRE(leaf_set.right().size() == expected);
      REQUIRE(leaf_set.left().size() == expected);
      for (std::size_t i = 0; i < expected; ++i) {
        CHECK(directory.id(leaf_set.right()[i]) == ids[(own + i + 1) % ids.size()]);
        CHECK(directory.id(leaf_set.left()[i]) == ids[(own + ids.size() - i - 1) % ids.size()]);
      }
      CHECK(leaf_set.complete());
      CHECK(leaf_set.knows_whole_ring() == (ids.size() <= 8));
    }
  }
}

TEST_CASE("leaf set: the mean spacing estimates the size of the ring") {
  const PerfectRing ring(random_ids(2000, 21), 4, 32, 0, 22);
  double sum = 0;
  for (std::size_t node = 0; node < ring.size(); ++node) {
    sum += static_cast<double>(ring.tables(node).leaf_set.mean_spacing().high());
  }
  const double spacing = sum / static_cast<double>(ring.size());
  CHECK(18446744073709551616.0 / spacing == doctest::Approx(2000).epsilon(0.05));
}
