#include "pastry/core/routing_table.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

namespace {

const Id kSelf = Id::parse("65a1fc00000000000000000000000000").value();

Id hex_id(std::string digits) {
  digits.resize(32, '0');
  return Id::parse(digits).value();
}

}  // namespace

TEST_CASE("Pastry 2.1: an entry of row r shares r digits and stands in the column of the next") {
  Directory directory;
  RoutingTable table(directory, kSelf, 4);
  const Handle far = directory.intern(peer(hex_id("d13da3")));
  const Handle row2 = directory.intern(peer(hex_id("65b")));
  const Handle deep = directory.intern(peer(kSelf + Id(0, 1)));
  CHECK(table.consider(far, rtt(1)));
  CHECK(table.consider(row2, rtt(1)));
  CHECK(table.consider(deep, rtt(1)));
  CHECK(table.at(0, 0xd) == far);
  CHECK(table.at(2, 0xb) == row2);
  CHECK(table.at(31, 1) == deep);
  CHECK(table.at(0, 6) == kNoHandle);
  CHECK(table.rows_used() == 32);
  CHECK(table.row(2) == std::vector<Handle>{row2});
  CHECK(table.row(1).empty());
  CHECK(table.size() == 3);
  CHECK(table.next_for(hex_id("d46a1c")) == far);
  CHECK(table.next_for(hex_id("65bfff")) == row2);
  CHECK(table.next_for(hex_id("65cfff")) == kNoHandle);
  CHECK(table.next_for(kSelf) == kNoHandle);
  CHECK(table.find(hex_id("d13da3")) == far);
  CHECK(table.find(hex_id("d13da4")) == kNoHandle);
  CHECK_FALSE(table.consider(directory.intern(peer(kSelf)), rtt(0)));
}

TEST_CASE("Pastry 2.5: of several candidates the nearest by proximity stays") {
  Directory directory;
  RoutingTable table(directory, kSelf, 4);
  const Handle a = directory.intern(peer(hex_id("d1")));
  const Handle b = directory.intern(peer(hex_id("d2")));
  CHECK(table.consider(a, rtt(50)));
  CHECK_FALSE(table.consider(b, rtt(50)));
  CHECK_FALSE(table.consider(b, proximity::Proximity()));
  CHECK(table.consider(b, rtt(49)));
  CHECK(table.at(0, 0xd) == b);
  CHECK(table.proximity_at(0, 0xd) == rtt(49));
  // A new measurement of the same node counts, a missing one does not.
  CHECK_FALSE(table.consider(b, rtt(100)));
  CHECK(table.proximity_at(0, 0xd) == rtt(100));
  CHECK_FALSE(table.consider(b, proximity::Proximity()));
  CHECK(table.proximity_at(0, 0xd) == rtt(100));
  CHECK(table.consider(a, rtt(99)));
  CHECK(table.at(0, 0xd) == a);
}

TEST_CASE("routing table: an unknown distance fills an empty slot and gives way to a known one") {
  Directory directory;
  RoutingTable table(directory, kSelf, 4);
  const Handle a = directory.intern(peer(hex_id("d1")));
  const Handle b = directory.intern(peer(hex_id("d2")));
  CHECK(table.consider(a, {}));
  CHECK_FALSE(table.consider(b, {}));
  CHECK(table.consider(b, rtt(3'000'000)));
}

TEST_CASE("routing table: a higher incarnation replaces the same id, however far") {
  Directory directory;
  RoutingTable table(directory, kSelf, 4);
  const Handle old = directory.intern(peer(hex_id("d1"), 2));
  const Handle fresh = directory.intern(peer(hex_id("d1"), 3));
  const Handle older = directory.intern(peer(hex_id("d1"), 1));
  CHECK(table.consider(old, rtt(5)));
  CHECK(table.consider(fresh, rtt(500)));
  CHECK_FALSE(table.consider(older, rtt(1)));
  CHECK(table.contains(fresh));
  CHECK_FALSE(table.remove(old));
  CHECK(table.remove(fresh));
  CHECK(table.size() == 0);
  CHECK(table.rows_used() == 0);
}

namespace {

// One map entry per slot.
class RoutingTableModel {
 public:
  RoutingTableModel(const Directory& directory, const NodeId& self, int b)
      : directory_(directory), self_(self), b_(b) {}

  bool consider(Handle node, Proximity distance) {
    const NodeId& id = directory_.id(node);
    if (id == self_) return false;
    int row = 0;
    while (digit(id, row, b_) == digit(self_, row, b_)) ++row;
    const auto slot = std::pair(row, digit(id, row, b_));
    if (slots_.count(slot) == 0) {
      slots_[slot] = {node, distance};
      return true;
    }
    auto& [present, present_distance] = slots_[slot];
    if (present == node) {
      if (distance.known()) present_distance = distance;
      return false;
    }
    const bool same_id = directory_.id(present) == id;
    if (same_id && directory_.incarnation(present) > directory_.incarnation(node)) return false;
    if (!same_id && !(distance < present_distance)) return false;
    slots_[slot] = {node, distance};
    return true;
  }

  bool remove(Handle node) {
    return std::erase_if(slots_, [&](const auto& entry) { return entry.second.first == node; }) !=
           0;
  }

  void clear() { slots_.clear(); }

  void check(const RoutingTable& table) const {
    CHECK(table.size() == slots_.size());
    CHECK(table.rows_used() == (slots_.empty() ? 0 : slots_.rbegin()->first.first + 1));
    std::vector<std::pair<Handle, Proximity>> expected;
    for (const auto& [slot, entry] : slots_) {
      CHECK(table.at(slot.first, slot.second) == entry.first);
      CHECK(table.proximity_at(slot.first, slot.second) == entry.second);
      CHECK(table.contains(entry.first));
      CHECK(table.find(directory_.id(entry.first)) == entry.first);
      expected.push_back(entry);
    }
    std::vector<std::pair<Handle, Proximity>> visited;
    table.for_each([&](Handle node, Proximity distance) { visited.emplace_back(node, distance); });
    CHECK(visited == expected);
  }

  void check_row(const RoutingTable& table, int row) const {
    std::vector<Handle> expected;
    std::size_t from_row = 0;
    for (const auto& [slot, entry] : slots_) {
      if (slot.first == row) expected.push_back(entry.first);
      from_row += slot.first >= row ? 1 : 0;
    }
    CHECK(table.row(row) == expected);
    table.for_each_from(row, [&](Handle, Proximity) { --from_row; });
    CHECK(from_row == 0);
  }

  Handle next_for(const Key& key) const {
    for (const auto& [slot, entry] : slots_) {
      if (shared_prefix(self_, key, b_) == slot.first &&
          digit(key, slot.first, b_) == slot.second) {
        return entry.first;
      }
    }
    return kNoHandle;
  }

 private:
  const Directory& directory_;
  NodeId self_;
  int b_;
  std::map<std::pair<int, int>, std::pair<Handle, Proximity>> slots_;
};

// Shares a random number of bits with the own id.
Id related(const NodeId& self, Random& random) {
  const std::uint64_t shared = random.below(130);
  if (shared >= 128) return self;
  const Id noise = random.id();
  const Id mask = shared >= 64 ? Id(0, shared == 64 ? UINT64_MAX : UINT64_MAX >> (shared - 64))
                               : Id(UINT64_MAX >> shared, UINT64_MAX);
  return {self.high() ^ (noise.high() & mask.high()), self.low() ^ (noise.low() & mask.low())};
}

}  // namespace

TEST_CASE("routing table: long random sequences against a model, b = 1 … 8") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const int b = 1 + static_cast<int>(seed % 8);
    CAPTURE(b);
    const NodeId self = seed % 5 == 0 ? kZeroId : seed % 7 == 0 ? kLastId : random.id();
    Directory directory;
    RoutingTable table(directory, self, b);
    RoutingTableModel model(directory, self, b);
    CHECK(table.row_count() == digit_count(b));
    std::vector<NodeId> ids;
    for (int i = 0; i < 150; ++i) ids.push_back(related(self, random));
    for (int step = 0; step < 400; ++step) {
      CAPTURE(step);
      const Handle node =
          directory.intern(peer(ids[random.below(ids.size())], 1 + random.below(2)));
      const std::uint64_t action = random.below(100);
      if (action == 0) {
        table.clear();
        model.clear();
      } else if (action < 30) {
        CHECK(table.remove(node) == model.remove(node));
      } else {
        const Proximity distance =
            random.below(4) == 0 ? Proximity() : rtt(static_cast<std::int64_t>(random.below(50)));
        CHECK(table.consider(node, distance) == model.consider(node, distance));
      }
      if (step % 8 == 0) model.check(table);
      model.check_row(table, static_cast<int>(random.below(digit_count(b))));
      const Key key = related(self, random);
      CHECK(table.next_for(key) == model.next_for(key));
    }
  }
}
