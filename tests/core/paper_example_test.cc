// The worked example of the paper [Pastry §2.1, Fig. 1]: node 10233102, b = 2, ids of eight digits
// of base 4, here the leading digits of 128-bit ids.
#include <doctest/doctest.h>

#include <array>
#include <set>
#include <string>

#include "tests/core/perfect_ring.h"

using namespace pastry;
using namespace pastry::test;

namespace {

Id base4(std::string_view digits) {
  Id id;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    id = with_digit(id, static_cast<int>(i), digits[i] - '0', 2);
  }
  return id;
}

using Texts = std::vector<std::string>;

const Texts kSmaller{"10233033", "10233021", "10233001", "10233000"};
const Texts kLarger{"10233120", "10233122", "10233230", "10233232"};
// Row by row, column by column; "" for an empty slot and the own digit.
const std::array<Texts, 8> kRows{{{"02212102", "", "22301203", "31203203"},
                                  {"", "11301233", "12230203", "13021022"},
                                  {"10031203", "10132102", "", "10323302"},
                                  {"10200230", "10211302", "10222302", ""},
                                  {"10230322", "10231000", "10232121", ""},
                                  {"10233001", "", "10233232", ""},
                                  {"", "", "10233120", ""},
                                  {"", "", "", ""}}};
// Nearest first; the figure does not say in which order.
const Texts kNeighbours{"13021022", "10200230", "11301233", "02212102",
                        "22301203", "31203203", "31301233", "33213321"};

// Node 10233102 after it heard of every node of the figure, in an order that the seed decides.
class Example {
 public:
  explicit Example(std::uint64_t seed) : tables(directory, base4("10233102"), 2, 8, 8) {
    std::vector<std::pair<std::string, Proximity>> nodes;
    std::set<std::string> known;
    const auto add = [&](const std::string& text, std::int64_t microseconds) {
      if (!text.empty() && known.insert(text).second) nodes.emplace_back(text, rtt(microseconds));
    };
    for (std::size_t i = 0; i < kNeighbours.size(); ++i) {
      add(kNeighbours[i], static_cast<std::int64_t>(i));
    }
    for (const Texts& row : kRows) {
      for (const std::string& text : row) add(text, 100);
    }
    for (const std::string& text : kSmaller) add(text, 200);
    for (const std::string& text : kLarger) add(text, 200);
    Random random(seed);
    for (std::size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[random.below(i)]);
    for (const auto& [text, distance] : nodes) {
      const Handle node = directory.intern(peer(base4(text)));
      tables.leaf_set.insert(node);
      tables.routing_table.consider(node, distance);
      tables.neighbourhood.consider(node, distance);
    }
  }

  Handle node(std::string_view text) const {
    return text.empty() ? kNoHandle : directory.find(base4(text));
  }
  std::vector<Handle> nodes(const Texts& texts) const {
    std::vector<Handle> result;
    for (const std::string& text : texts) result.push_back(node(text));
    return result;
  }

  void check_hop(std::string_view key, RoutingRule rule, std::string_view to,
                 const Texts& excluded = {}) const {
    CAPTURE(key);
    const NextHop next = next_hop(directory, tables, base4(key), nodes(excluded));
    CHECK(next.rule == rule);
    CHECK(next.node == node(to));
  }

  Directory directory;
  Tables tables;
};

}  // namespace

TEST_CASE("Pastry 2.1, Fig. 1: the tables of node 10233102 hold exactly what the figure shows") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const Example example(seed);
    const LeafSet& leaf_set = example.tables.leaf_set;
    CHECK(std::vector<Handle>(leaf_set.left().begin(), leaf_set.left().end()) ==
          example.nodes(kSmaller));
    CHECK(std::vector<Handle>(leaf_set.right().begin(), leaf_set.right().end()) ==
          example.nodes(kLarger));
    std::size_t entries = 0;
    for (int row = 0; row < 8; ++row) {
      for (int column = 0; column < 4; ++column) {
        CAPTURE(row);
        CAPTURE(column);
        const std::string& expected =
            kRows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
        CHECK(example.tables.routing_table.at(row, column) == example.node(expected));
        entries += expected.empty() ? 0 : 1;
      }
    }
    CHECK(example.tables.routing_table.size() == entries);
    CHECK(example.tables.neighbourhood.members() == example.nodes(kNeighbours));
  }
}

TEST_CASE("Pastry 2.2 rule 1: within the leaf set's range the numerically closest gets it") {
  const Example example(1);
  example.check_hop("10233102", RoutingRule::deliver, "");
  example.check_hop("10233103", RoutingRule::deliver, "");
  example.check_hop("10233101", RoutingRule::deliver, "");
  example.check_hop("10233032", RoutingRule::leaf_set, "10233033");
  example.check_hop("10233033", RoutingRule::leaf_set, "10233033");
  example.check_hop("10233000", RoutingRule::leaf_set, "10233000");
  example.check_hop("10233112", RoutingRule::leaf_set, "10233120");
  example.check_hop("10233130", RoutingRule::leaf_set, "10233122");
  example.check_hop("10233220", RoutingRule::leaf_set, "10233230");
  example.check_hop("10233232", RoutingRule::leaf_set, "10233232");
  // Half way between 10233021 and 10233033: the smaller id wins.
  example.check_hop("10233030", RoutingRule::leaf_set, "10233021");
  // The only possible root is not given up for being excluded.
  example.check_hop("10233032", RoutingRule::leaf_set, "10233033", {"10233033"});
}

TEST_CASE("Pastry 2.2 rule 2: outside it the entry with one more digit gets it") {
  const Example example(1);
  example.check_hop("02333333", RoutingRule::routing_table, "02212102");
  example.check_hop("22331203", RoutingRule::routing_table, "22301203");
  example.check_hop("33333333", RoutingRule::routing_table, "31203203");
  example.check_hop("11111111", RoutingRule::routing_table, "11301233");
  example.check_hop("13000000", RoutingRule::routing_table, "13021022");
  example.check_hop("10000000", RoutingRule::routing_table, "10031203");
  example.check_hop("10323000", RoutingRule::routing_table, "10323302");
  example.check_hop("10223333", RoutingRule::routing_table, "10222302");
  example.check_hop("10231333", RoutingRule::routing_table, "10231000");
  // Just below and just above the range of the leaf set.
  example.check_hop("10232333", RoutingRule::routing_table, "10232121");
  example.check_hop("10233233", RoutingRule::routing_table, "10233232");
}

TEST_CASE("Pastry 2.2 rule 3: without an entry, as long a prefix and numerically closer") {
  const Example example(1);
  // Five digits shared, R[5][3] is empty: the closest of those that share five.
  example.check_hop("10233300", RoutingRule::rare_case, "10233232");
  example.check_hop("10233333", RoutingRule::rare_case, "10233232");
  example.check_hop("10233333", RoutingRule::rare_case, "10233230", {"10233232"});
  example.check_hop("10233333", RoutingRule::rare_case, "10233120",
                    {"10233232", "10233230", "10233122"});
  // 10300000 would be closer to 10233333 but shares fewer digits; nobody is left.
  example.check_hop("10233333", RoutingRule::stuck, "",
                    {"10233232", "10233230", "10233122", "10233120"});
  // An entry that does not answer: around it, numerically closer than this node.
  example.check_hop("22331203", RoutingRule::rare_case, "31203203", {"22301203"});
  example.check_hop("22331203", RoutingRule::rare_case, "31301233", {"22301203", "31203203"});
  example.check_hop("10231333", RoutingRule::rare_case, "10232121", {"10231000"});
}
