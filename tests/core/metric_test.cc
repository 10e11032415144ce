// The metric as the node uses it: who stands in its tables, what timeouts follow [Pastry §2.1].
#include "pastry/core/metric.h"

#include <doctest/doctest.h>

#include <array>

#include "tests/core/ring.h"

namespace pastry::test {

namespace {

using proximity::Location;
using proximity::Proximity;

const Location kMunich({48.137, 11.575});
const Location kBerlin({52.52, 13.405});
const Location kSydney({-33.868, 151.209});

NodeId starting_with(std::uint64_t digits, std::uint64_t rest) {
  return NodeId(digits << 56 | rest, rest);
}

Config with(const Metric* metric) {
  Config config = small_config();
  config.metric = metric;
  return config;
}

// Two candidates for the slot of digit 1 of a node in Munich: one in Berlin that takes 200 ms, and
// one in Sydney that takes 1 ms.
struct Candidates {
  explicit Candidates(const Metric* metric) : ring(with(metric)) {
    ring.found(self);
    hear(fast_far, milliseconds(1));
    hear(slow_near, milliseconds(200));
    hear(fast_far, milliseconds(1));
  }

  void hear(Handle from, Duration round_trip) {
    Outbox out;
    ring.node(self).receive(ring.now(), from, Announce{round_trip, {}}, out);
  }
  const Tables& tables() { return ring.node(self).tables(); }

  Ring ring;
  Handle self = ring.add(starting_with(0x00, 1), 1, kMunich);
  Handle fast_far = ring.add(starting_with(0x10, 2), 1, kSydney);
  Handle slow_near = ring.add(starting_with(0x11, 3), 1, kBerlin);
};

// What an application might bring: odd ids are near each other, even ids far from everybody.
class ByParity final : public Metric {
 public:
  Proximity distance(const Directory& directory, Handle self, Handle peer) const override {
    if (directory.id(peer).low() % 2 == 0) return {};
    return proximity::from_units(self == peer ? 0 : 7);
  }
};

}  // namespace

TEST_CASE("Pastry 2.1: without a metric the measured time decides") {
  Candidates scene(nullptr);
  CHECK(scene.tables().routing_table.at(0, 1) == scene.fast_far);
  CHECK(scene.tables().neighbourhood.at(0) == scene.fast_far);
}

TEST_CASE("Pastry 2.1: a geographic metric prefers who is near, whatever the time says") {
  const GeographicMetric metric;
  Candidates scene(&metric);
  CHECK(scene.tables().routing_table.at(0, 1) == scene.slow_near);
  REQUIRE(scene.tables().neighbourhood.size() == 2);
  CHECK(scene.tables().neighbourhood.at(0) == scene.slow_near);
  const std::uint64_t units = proximity::units_of(scene.tables().neighbourhood.proximity_at(0));
  CHECK(static_cast<double>(units) == doctest::Approx(50'440).epsilon(0.005));  // 504.4 km
}

TEST_CASE("an application's metric decides; whose distance it cannot tell is the farthest") {
  const ByParity metric;
  Candidates scene(&metric);
  CHECK(scene.tables().routing_table.at(0, 1) == scene.slow_near);  // the id of the other is even
  CHECK(proximity::units_of(scene.tables().routing_table.proximity_at(0, 1)) == 7);
  CHECK(scene.tables().neighbourhood.at(1) == scene.fast_far);
  CHECK_FALSE(scene.tables().neighbourhood.proximity_at(1).known());
}

TEST_CASE("a ring with a metric is a right ring whose members know each other's distances") {
  const GeographicMetric metric;
  Ring ring(with(&metric));
  const Handle first = ring.add(ring.random().id(), 1, kMunich);
  ring.found(first);
  for (int i = 1; i < 12; ++i) {
    ring.join(ring.add(ring.random().id(), 1, i % 2 == 0 ? kMunich : kSydney), {first});
    ring.run(milliseconds(50));
  }
  ring.run(seconds(10));
  REQUIRE(ring.wrong_neighbours() == 0);
  for (const Handle node : ring.live()) {
    const NeighbourhoodSet& near = ring.node(node).tables().neighbourhood;
    REQUIRE(near.size() > 0);
    for (std::size_t rank = 0; rank < near.size(); ++rank) {
      const bool here =
          ring.directory().host(near.at(rank)).location == ring.directory().host(node).location;
      CHECK(proximity::units_of(near.proximity_at(rank)) < (here ? 1U : 1'700'000U));
      CHECK((proximity::units_of(near.proximity_at(rank)) == 0) == here);
    }
  }
}

TEST_CASE("timeouts follow measured times, whatever the metric says") {
  const GeographicMetric metric;
  for (const Metric* const chosen : std::array<const Metric*, 2>{nullptr, &metric}) {
    CAPTURE(chosen != nullptr);
    Ring ring(with(chosen));
    const Handle from = ring.add(starting_with(0x00, 1), 1, kMunich);
    const Handle to = ring.add(starting_with(0x80, 2), 1, kMunich);
    ring.found(from);
    ring.join(to, {from});
    ring.run(seconds(5));
    ring.drop = [](Handle, const Send& send) {
      return std::holds_alternative<Routed>(send.message);
    };
    ring.at(from, [&](Context context) {
      CHECK(context.proximity(to).known());
      CHECK(context.round_trip(to).has_value() == (chosen == nullptr));
    });
    ring.route(from, ring.directory().id(to));
    // Twice rto_min after a measured time of 2 ms, rto_initial where none is known.
    const Duration first = chosen == nullptr ? milliseconds(40) : milliseconds(200);
    ring.run(first - milliseconds(1));
    CHECK(ring.node(from).counters().retransmitted == 0);
    ring.run(milliseconds(2));
    CHECK(ring.node(from).counters().retransmitted == 1);
    // Once a hop is measured it has a timeout of its own.
    ring.drop = {};
    ring.run(seconds(5));
    ring.route(from, ring.directory().id(to));
    ring.run(milliseconds(50));
    ring.drop = [](Handle, const Send& send) {
      return std::holds_alternative<Routed>(send.message);
    };
    const std::uint64_t before = ring.node(from).counters().retransmitted;
    ring.route(from, ring.directory().id(to));
    ring.run(milliseconds(30));
    CHECK(ring.node(from).counters().retransmitted > before);
  }
}

TEST_CASE("hop counts of an emulated network by the high half of the ids, or by places") {
  const std::shared_ptr<const proximity::Topology> network = proximity::make_transit_stub({});
  Directory directory;
  const auto node = [&](std::uint64_t high) {
    PeerInfo info;
    info.id = NodeId(high, 1);
    return directory.intern(info);
  };
  const Handle a = node(3);
  const Handle b = node(4);
  CHECK(HopMetric(network).distance(directory, a, a) == proximity::from_units(0));
  CHECK(HopMetric(network).distance(directory, a, b) ==
        proximity::from_units(*network->routers_between(3, 4)));
  const HopMetric placed(network, [](Handle peer) { return 100 + index(peer); });
  CHECK(placed.distance(directory, a, b) ==
        proximity::from_units(*network->routers_between(100 + index(a), 100 + index(b))));
  CHECK_FALSE(HopMetric(proximity::make_plane({})).distance(directory, a, b).known());
}

}  // namespace pastry::test
