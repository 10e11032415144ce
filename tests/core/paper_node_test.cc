// Claims of the papers that show on whole nodes, one test each.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <vector>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::kTestApplication;
using pastry::test::Ring;

namespace {

Config config_with(int leaf_set) {
  Config config = Config::lan();
  config.leaf_set = leaf_set;
  config.neighbourhood = 8;
  return config;
}

std::vector<Handle> grow(Ring& ring, int nodes) {
  const Handle first = ring.add();
  ring.found(first);
  for (int i = 1; i < nodes; ++i) ring.join(ring.add(), {first});
  ring.run(seconds(4));
  REQUIRE(ring.wrong_neighbours() == 0);
  return ring.live();
}

int wrong_leaf_sets(Ring& ring) {
  const auto live = ring.live();
  const auto n = live.size();
  int wrong = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const LeafSet& leaves = ring.node(live[i]).tables().leaf_set;
    const std::size_t half = static_cast<std::size_t>(leaves.capacity()) / 2;
    for (std::size_t d = 1; d <= half && d < n; ++d) {
      if (leaves.right().size() < d || leaves.right()[d - 1] != live[(i + d) % n]) ++wrong;
      if (leaves.left().size() < d || leaves.left()[d - 1] != live[(i + n - d) % n]) ++wrong;
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("[Pastry 2.1] the leaf set is the l/2 nearest smaller and l/2 nearest larger ids") {
  for (const int nodes : {5, 9, 17, 60}) {
    CAPTURE(nodes);
    Ring ring(config_with(8), static_cast<std::uint64_t>(nodes));
    grow(ring, nodes);
    CHECK(wrong_leaf_sets(ring) == 0);
  }
}

TEST_CASE("[Pastry 2.1] routing-table entries are in the slot of their id") {
  Ring ring(config_with(8));
  for (const Handle node : grow(ring, 60)) {
    const RoutingTable& table = ring.node(node).tables().routing_table;
    for (int row = 0; row < table.rows_used(); ++row) {
      for (int column = 0; column < 16; ++column) {
        const Handle entry = table.at(row, column);
        if (entry == kNoHandle) continue;
        CHECK(shared_prefix(ring.directory().id(node), ring.directory().id(entry), 4) == row);
        CHECK(digit(ring.directory().id(entry), row, 4) == column);
      }
    }
  }
}

TEST_CASE("[Pastry 2.2] lookups reach the numerically closest node in at most log16 N + 1 hops") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 64);
  RouteOptions options;
  options.wants_outcome = true;
  std::map<OperationId, Key> asked;
  for (int i = 0; i < 500; ++i) {
    const Key key = ring.random().id();
    const OperationId id = ring.route(live[ring.random().below(live.size())], key, options);
    ring.run(milliseconds(20));
    REQUIRE(ring.outcomes.contains(id));
    CHECK(ring.outcomes[id].root == ring.root(key));
    CHECK(ring.outcomes[id].hops <= std::ceil(std::log(64) / std::log(16)) + 1);
    ring.outcomes.clear();
  }
}

TEST_CASE("[Pastry 2.3] forward is called on every node of the path and may stop the message") {
  Ring ring(config_with(4));
  const auto live = grow(ring, 40);
  const Key key = ring.random().id();
  std::vector<Handle> path;
  ring.on_forward = [&](Context context, ForwardedMessage& message) {
    path.push_back(context.self());
    CHECK(message.key == key);
    return ForwardDecision::pass;
  };
  RouteOptions options;
  options.wants_outcome = true;
  const OperationId id = ring.route(live[3], key, options);
  ring.run(seconds(1));
  REQUIRE(ring.outcomes.contains(id));
  CHECK(path.size() == ring.outcomes[id].hops + 1U);
  CHECK(path.front() == live[3]);
  CHECK(path.back() == ring.root(key));

  ring.on_forward = [&](Context, ForwardedMessage&) { return ForwardDecision::stop; };
  ring.delivered.clear();
  const OperationId stopped = ring.route(live[3], key, options);
  ring.run(seconds(1));
  CHECK(ring.delivered.empty());
  CHECK(ring.outcomes[stopped].root == live[3]);
}

TEST_CASE("[Pastry 2.3] forward may change key and message") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 20);
  const Key other = ring.random().id();
  ring.on_forward = [&](Context, ForwardedMessage& message) {
    message.key = other;
    message.payload = Payload::copy_of("changed");
    return ForwardDecision::pass;
  };
  ring.route(live[0], ring.random().id());
  ring.run(seconds(1));
  REQUIRE(ring.delivered.size() == 1);
  CHECK(ring.delivered[0].at == ring.root(other));
  CHECK(ring.delivered[0].text == "changed");
}

TEST_CASE("[Pastry 2.4] a join takes a number of messages that grows like log N, not like N") {
  const auto cost = [](int nodes) {
    Ring ring(config_with(8), 5);
    const auto live = grow(ring, nodes);
    std::uint64_t sum = 0;
    for (int i = 0; i < 5; ++i) {
      const Handle joiner = ring.add();
      // Only what is sent until the joiner is active; upkeep of the others runs beside it.
      const std::uint64_t before = ring.messages;
      ring.join(joiner, {live[ring.random().below(live.size())]});
      ring.run(milliseconds(40));
      REQUIRE(ring.node(joiner).active());
      sum += ring.messages - before;
    }
    return static_cast<double>(sum) / 5;
  };
  const double small = cost(20);
  const double large = cost(160);
  CAPTURE(small);
  CAPTURE(large);
  CHECK(large < small * 3);
}

TEST_CASE("[Pastry 2.4] leaf sets are repaired after l/2 - 1 adjacent nodes failed at once") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 40);
  for (int i = 10; i < 13; ++i) ring.crash(live[static_cast<std::size_t>(i)]);
  ring.run(seconds(20));
  CHECK(ring.wrong_neighbours() == 0);
  CHECK(wrong_leaf_sets(ring) == 0);
}

TEST_CASE("[Pastry 2.4] a dead routing-table entry is replaced by one from another node's row") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 60);
  Config config = config_with(8);
  for (int i = 0; i < 6; ++i) ring.crash(live[static_cast<std::size_t>(i * 9 + 2)]);
  ring.run(config.table_probe_period_max * 3);
  int dead_entries = 0;
  int missing = 0;
  const auto alive = ring.live();
  for (const Handle node : alive) {
    const RoutingTable& table = ring.node(node).tables().routing_table;
    table.for_each([&](Handle entry, Proximity) {
      if (std::find(alive.begin(), alive.end(), entry) == alive.end()) ++dead_entries;
    });
    for (int column = 0; column < 16; ++column) {
      if (column == digit(ring.directory().id(node), 0, 4)) continue;
      const bool exists = std::any_of(alive.begin(), alive.end(), [&](Handle other) {
        return digit(ring.directory().id(other), 0, 4) == column;
      });
      if (exists && table.at(0, column) == kNoHandle) ++missing;
    }
  }
  CHECK(dead_entries == 0);
  CHECK(missing <= static_cast<int>(alive.size()) / 10);
}

TEST_CASE("a leaf that has the digits takes the place of a lost entry before anybody is asked") {
  Config config = config_with(16);
  config.digit_bits = 2;
  Ring ring(config);
  const auto live = grow(ring, 16);
  for (std::size_t i = 0; i < 8; ++i) {
    ring.leave(live[i * 2]);
    ring.run(milliseconds(1));  // the farewells arrive, and no answer to anybody
    const auto left = ring.live();
    for (const Handle node : left) {
      const RoutingTable& table = ring.node(node).tables().routing_table;
      for (const Handle other : left) {
        if (other != node) CHECK(table.slot_of(ring.directory().id(other)).node != kNoHandle);
      }
    }
  }
}

TEST_CASE("[MSPastry 4.2] a lost acknowledgement does not make the root deliver twice") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 30);
  int lost = 0;
  ring.drop = [&](Handle, const Send& send) {
    return std::holds_alternative<HopAck>(send.message) && lost < 3 && ++lost > 0;
  };
  ring.delivered.clear();
  const Key key = ring.directory().id(live[20]);
  ring.route(live[1], key);
  ring.run(seconds(5));
  CHECK(lost > 0);
  CHECK(ring.delivered.size() == 1);
}

TEST_CASE("[MSPastry 4.2] a silent hop is avoided and the message arrives all the same") {
  Ring ring(config_with(4));
  const auto live = grow(ring, 60);
  RouteOptions options;
  options.wants_outcome = true;
  int tried = 0;
  for (int i = 0; i < 30 && tried < 5; ++i) {
    const Key key = ring.random().id();
    const Handle from = ring.live()[ring.random().below(ring.live().size())];
    const NextHop next = next_hop(ring.directory(), ring.node(from).tables(), key);
    if (next.rule != RoutingRule::routing_table || next.node == ring.root(key)) continue;
    ++tried;
    ring.crash(next.node);
    ring.delivered.clear();
    const OperationId id = ring.route(from, key, options);
    ring.run(milliseconds(1500));  // before the death is declared everywhere
    CAPTURE(i);
    REQUIRE(ring.outcomes.contains(id));
    CHECK(ring.delivered.size() == 1);
    ring.run(seconds(10));
  }
  CHECK(tried > 0);
}

TEST_CASE(
    "[Pastry 2.4] a hop that used a poorer entry is told of a better one, but not each time") {
  Ring ring(config_with(4));
  const auto live = grow(ring, 60);
  const Handle from = live.front();
  // A hop whose entry for the key shares more with the key than sender and hop do.
  const auto helps = [&](Handle hop, const Key& key) {
    const NextHop next = next_hop(ring.directory(), ring.node(hop).tables(), key);
    const auto shared = [&](Handle peer) {
      return shared_prefix(ring.directory().id(peer), key, ring.node(hop).config().digit_bits);
    };
    return next.node != kNoHandle && next.node != hop && next.node != from &&
           shared(hop) == shared(from) && shared(next.node) > shared(hop);
  };
  Key key = ring.random().id();
  Handle hop = live[30];
  while (!helps(hop, key)) key = ring.random().id();

  int told = 0;
  ring.drop = [&](Handle sender, const Send& send) {
    if (sender == hop && send.to == from && std::holds_alternative<RowReply>(send.message)) ++told;
    return false;
  };
  RouteOptions options;
  options.hint = hop;
  for (int i = 0; i < 50; ++i) {
    ring.route(from, key, options);
    ring.run(milliseconds(10));
  }
  CHECK(told == 1);
  ring.run(seconds(1));
  ring.route(from, key, options);
  ring.run(milliseconds(10));
  CHECK(told == 2);
}

TEST_CASE("[Bamboo 4] a timeout that was too short doubles until an acknowledgement is in time") {
  Ring ring(config_with(4));
  const auto live = grow(ring, 2);
  bool silent = false;
  std::map<std::uint64_t, std::vector<Time>> sent;  // copies by the message's number
  ring.drop = [&](Handle sender, const Send& send) {
    const auto* routed = std::get_if<Routed>(&send.message);
    if (sender == live[0] && routed != nullptr) sent[routed->header.sequence].push_back(ring.now());
    return silent && sender == live[1] && std::holds_alternative<HopAck>(send.message);
  };
  // How long the first copy of a message waits for the second.
  const auto patience = [&] {
    silent = true;
    ring.route(live[0], ring.node(live[1]).id());
    const std::vector<Time>& copies = sent.rbegin()->second;
    while (copies.size() < 2) ring.run(milliseconds(1));
    return copies[1] - copies[0];
  };
  const auto settle = [&] {
    silent = false;
    ring.run(seconds(5));
    for (int i = 0; i < 20; ++i) {
      ring.route(live[0], ring.node(live[1]).id());
      ring.run(milliseconds(20));
    }
  };
  settle();
  const Duration first = patience();
  const Duration second = patience();
  const Duration third = patience();
  CHECK(second >= 2 * first);
  CHECK(third >= 2 * second);
  settle();
  CHECK(patience() <= first + milliseconds(2));
}

TEST_CASE("[Pastry 2.2] a replica lookup ends at one of the k closest nodes") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 60);
  RouteOptions options;
  options.wants_outcome = true;
  options.kind = LookupKind::replica;
  options.replicas = 3;
  for (int i = 0; i < 100; ++i) {
    const Key key = ring.random().id();
    std::vector<Handle> sorted = live;
    std::sort(sorted.begin(), sorted.end(), [&](Handle a, Handle b) {
      return closer(key, ring.directory().id(a), ring.directory().id(b));
    });
    const OperationId id = ring.route(live[ring.random().below(live.size())], key, options);
    ring.run(milliseconds(50));
    REQUIRE(ring.outcomes.contains(id));
    const auto rank = std::find(sorted.begin(), sorted.end(), ring.outcomes[id].root);
    CHECK(rank - sorted.begin() < 3);
  }
}

TEST_CASE("[API 3] range(node, r) holds the keys for which the node is among the r + 1 closest") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 40);
  for (const int rank : {0, 1, 2}) {
    for (std::size_t i = 0; i < live.size(); i += 7) {
      ring.at(live[i], [&](Context context) {
        const auto range = context.range(context.self(), rank);
        REQUIRE(range);
        for (int j = 0; j < 200; ++j) {
          // Keys near the node, inside the range and outside of it.
          const Key key = ring.directory().id(live[(i + ring.random().below(5)) % live.size()]) +
                          Id(ring.random().next() >> 6, 0) - Id(ring.random().next() >> 6, 0);
          int nearer = 0;
          for (const Handle other : live) {
            if (closer(key, ring.directory().id(other), context.self_id())) ++nearer;
          }
          const bool inside = key - range->from <= range->to - range->from;
          CHECK(inside == (nearer <= rank));
        }
      });
    }
  }
}

TEST_CASE("[API 3] update tells the application who joined and left the leaf set") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 6);
  ring.member(live[0]).updates.clear();
  const Handle newcomer = ring.add();
  ring.join(newcomer, {live[2]});
  ring.run(seconds(1));
  const auto& updates = ring.member(live[0]).updates;
  REQUIRE(!updates.empty());
  CHECK(updates.back() == std::pair{newcomer, PeerChange::joined});
  ring.crash(newcomer);
  ring.run(seconds(8));
  CHECK(updates.back() == std::pair{newcomer, PeerChange::left});
}

TEST_CASE("requests are answered once, time out, or end when the peer dies") {
  Ring ring(config_with(8));
  const auto live = grow(ring, 6);
  OperationId answered = 0;
  OperationId silent = 0;
  OperationId orphaned = 0;
  OperationId own = 0;
  ring.member(live[2]).silent = true;
  ring.member(live[3]).silent = true;
  ring.at(live[0], [&](Context context) {
    answered = *context.request(live[1], Payload::copy_of("ping"), seconds(1));
    silent = *context.request(live[2], Payload::copy_of("ping"), seconds(1));
    orphaned = *context.request(live[3], Payload::copy_of("ping"), seconds(60));
    own = *context.request(context.self(), Payload::copy_of("self"), seconds(1));
  });
  ring.run(milliseconds(100));
  ring.crash(live[3]);
  ring.run(seconds(10));
  auto& answers = ring.member(live[0]).answers;
  REQUIRE(answers.size() == 4);
  CHECK(answers.at(answered).value().text() == "ping");
  CHECK(answers.at(own).value().text() == "self");
  CHECK(answers.at(silent).error().code == ErrorCode::timed_out);
  CHECK(answers.at(orphaned).error().code == ErrorCode::unavailable);
}

TEST_CASE("timers fire once, in order, and not after they were cancelled") {
  Ring ring(config_with(8));
  const Handle node = ring.add();
  ring.found(node);
  ring.at(node, [&](Context context) {
    context.set_timer(milliseconds(30), 3);
    context.set_timer(milliseconds(10), 1);
    const OperationId cancelled = context.set_timer(milliseconds(15), 9);
    context.set_timer(milliseconds(20), 2);
    context.cancel_timer(cancelled);
  });
  ring.run(seconds(1));
  const auto& timers = ring.member(node).timers;
  REQUIRE(timers.size() == 3);
  CHECK(timers[0].second == 1);
  CHECK(timers[1].second == 2);
  CHECK(timers[2].second == 3);
}

TEST_CASE("bad downcalls are errors, not crashes") {
  Ring ring(config_with(8));
  const Handle node = ring.add();
  ring.found(node);
  ring.at(node, [&](Context context) {
    const Payload large(Bytes(context.config().payload_max + 1));
    CHECK(context.route(Key(), large).error().code == ErrorCode::too_large);
    CHECK(context.send(context.self(), large).error().code == ErrorCode::too_large);
    RouteOptions options;
    options.replicas = 6;  // l/2 + 1 = 5
    CHECK(context.route(Key(), {}, options).error().code == ErrorCode::invalid);
  });
}
