#include "pastry/core/neighbourhood_set.h"

#include <doctest/doctest.h>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;
using proximity::Proximity;

TEST_CASE("Pastry 2.1: the neighbourhood set holds the nearest by the proximity metric") {
  Directory directory;
  const NodeId self(9, 9);
  NeighbourhoodSet set(directory, self, 3);
  std::vector<Handle> nodes;
  for (std::uint64_t i = 0; i < 6; ++i) nodes.push_back(directory.intern(peer(Id(0, i))));
  CHECK(set.consider(nodes[0], rtt(50)));
  CHECK(set.consider(nodes[1], {}));
  CHECK(set.consider(nodes[2], rtt(20)));
  CHECK(set.members() == std::vector<Handle>{nodes[2], nodes[0], nodes[1]});
  CHECK_FALSE(set.consider(nodes[3], {}));
  CHECK(set.consider(nodes[3], rtt(30)));
  CHECK(set.members() == std::vector<Handle>{nodes[2], nodes[3], nodes[0]});
  CHECK_FALSE(set.consider(nodes[4], rtt(50)));
  // A member that turned out to be farther.
  CHECK_FALSE(set.consider(nodes[2], rtt(90)));
  CHECK(set.members() == std::vector<Handle>{nodes[3], nodes[0], nodes[2]});
  CHECK(set.proximity_at(2) == rtt(90));
  CHECK_FALSE(set.consider(directory.intern(peer(Id(9, 9))), rtt(1)));
}

TEST_CASE("neighbourhood set: size 0 holds nobody") {
  Directory directory;
  const NodeId self(9, 9);
  NeighbourhoodSet set(directory, self, 0);
  CHECK_FALSE(set.consider(directory.intern(peer(Id(0, 1))), rtt(1)));
  CHECK(set.size() == 0);
}

namespace {

// A list that is sorted anew after each change.
class NeighbourhoodModel {
 public:
  NeighbourhoodModel(const Directory& directory, const NodeId& self, std::size_t capacity)
      : directory_(directory), self_(self), capacity_(capacity) {}

  bool consider(Handle node, Proximity distance) {
    const NodeId& id = directory_.id(node);
    if (id == self_) return false;
    const auto known = std::find_if(members_.begin(), members_.end(), [&](const auto& member) {
      return directory_.id(member.first) == id;
    });
    if (known == members_.end()) {
      members_.emplace_back(node, distance);
      sort();
      if (members_.size() <= capacity_) return true;
      const bool stayed = members_.back().first != node;
      members_.pop_back();
      return stayed;
    }
    if (known->first == node && !distance.known()) return false;
    if (known->first != node &&
        directory_.incarnation(known->first) >= directory_.incarnation(node)) {
      return false;
    }
    const bool other = known->first != node;
    members_.erase(known);
    members_.emplace_back(node, distance);
    sort();
    return other;
  }

  bool remove(Handle node) {
    return std::erase_if(members_, [&](const auto& member) { return member.first == node; }) != 0;
  }

  void check(const NeighbourhoodSet& set) const {
    REQUIRE(set.size() == members_.size());
    for (std::size_t i = 0; i < members_.size(); ++i) {
      CHECK(set.at(i) == members_[i].first);
      CHECK(set.proximity_at(i) == members_[i].second);
      CHECK(set.contains(members_[i].first));
    }
  }

 private:
  void sort() {
    std::stable_sort(members_.begin(), members_.end(),
                     [](const auto& a, const auto& b) { return a.second < b.second; });
  }

  const Directory& directory_;
  NodeId self_;
  std::size_t capacity_;
  std::vector<std::pair<Handle, Proximity>> members_;
};

}  // namespace

TEST_CASE("neighbourhood set: long random sequences against a model") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const int capacity = static_cast<int>(random.below(20));
    Directory directory;
    const NodeId self(0, 0);
    NeighbourhoodSet set(directory, self, capacity);
    NeighbourhoodModel model(directory, Id(0, 0), static_cast<std::size_t>(capacity));
    for (int step = 0; step < 400; ++step) {
      CAPTURE(step);
      const Handle node = directory.intern(peer(Id(0, random.below(40)), 1 + random.below(2)));
      if (random.below(4) == 0) {
        CHECK(set.remove(node) == model.remove(node));
      } else {
        const Proximity distance =
            random.below(5) == 0 ? Proximity() : rtt(static_cast<std::int64_t>(random.below(30)));
        CHECK(set.consider(node, distance) == model.consider(node, distance));
      }
      model.check(set);
    }
  }
}
