// The proximity metric, round-trip estimation, emulated topologies [Pastry §2.1, §2.5, §3].
#include "proximity/proximity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "pastry/core/random.h"
#include "proximity/rtt_estimator.h"
#include "proximity/topology.h"

using namespace proximity;
using namespace std::chrono_literals;
using pastry::Random;
using std::chrono::nanoseconds;

TEST_CASE("proximity: exact up to 2 ms, within 0.05 % above, order kept") {
  Proximity previous = Proximity::from(0ns);
  for (std::int64_t us = 0; us < 3'600'000'000; us += 1 + us / 1500) {
    const nanoseconds time = std::chrono::microseconds(us);
    const Proximity code = Proximity::from(time);
    CHECK(code >= previous);
    previous = code;
    const nanoseconds back = code.round_trip();
    if (us <= 2000) CHECK(back == time);
    CHECK(back <= time);
    CHECK(static_cast<double>((time - back).count()) <= 0.0005 * static_cast<double>(time.count()));
    CHECK(Proximity::from(back) == code);
  }
}

TEST_CASE("proximity: extremes saturate; unknown is farther than everything") {
  CHECK(Proximity::from(-5s) == Proximity::from(0s));
  CHECK(Proximity::from(nanoseconds::max()) == Proximity::from(1h));
  CHECK(Proximity::from(nanoseconds::min()) == Proximity::from(0s));
  CHECK_FALSE(Proximity().known());
  CHECK(Proximity::from(1h).known());
  CHECK(Proximity::from(1h) < Proximity());
  CHECK(Proximity::from(2ms) < Proximity::from(3ms));
}

TEST_CASE("Bamboo 4: timeout is mean + 4 * deviation within its bounds") {
  RttEstimator estimator;
  CHECK_FALSE(estimator.known());
  CHECK_FALSE(estimator.proximity().known());
  CHECK(estimator.timeout(500ms, 50ms, 3s) == 500ms);

  estimator.sample(100ms);
  CHECK(estimator.mean() == 100ms);
  CHECK(estimator.deviation() == 50ms);
  CHECK(estimator.timeout(500ms, 50ms, 3s) == 300ms);

  for (int i = 0; i < 200; ++i) estimator.sample(100ms);
  CHECK(estimator.mean() == 100ms);
  CHECK(estimator.deviation() < 1ms);
  CHECK(estimator.timeout(500ms, 50ms, 3s) == 125ms);
  CHECK(estimator.timeout(500ms, 200ms, 3s) == 200ms);
  CHECK(estimator.timeout(500ms, 10ms, 80ms) == 80ms);
}

TEST_CASE("Bamboo 4: mean and deviation follow a change, the minimum stays") {
  RttEstimator estimator;
  for (int i = 0; i < 100; ++i) estimator.sample(i % 2 == 0 ? 10ms : 30ms);
  CHECK(std::abs((estimator.mean() - 20ms).count()) < nanoseconds(3ms).count());
  CHECK(std::abs((estimator.deviation() - 10ms).count()) < nanoseconds(3ms).count());
  CHECK(estimator.minimum() == 10ms);
  for (int i = 0; i < 100; ++i) estimator.sample(200ms);
  CHECK(estimator.mean() > 195ms);
  CHECK(estimator.minimum() == 10ms);
  CHECK(estimator.proximity() == Proximity::from(10ms));
}

TEST_CASE("Bamboo 4: extreme samples saturate") {
  RttEstimator estimator;
  estimator.sample(nanoseconds::max());
  CHECK(estimator.mean() == 60s);
  for (int i = 0; i < 1000; ++i)
    estimator.sample(i % 2 == 0 ? nanoseconds::max() : nanoseconds::min());
  CHECK(estimator.mean() <= 60s);
  CHECK(estimator.deviation() <= 60s);
  CHECK(estimator.minimum() == 0s);
  CHECK(estimator.timeout(1s, 1ms, 3s) == 3s);
}

namespace {

void check_metric(const Topology& topology, std::uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < 20000; ++i) {
    // Small and neighbouring place numbers as the simulator uses them, and any others.
    const std::uint64_t bound = i % 2 == 0 ? 100 : ~0ULL;
    const std::uint64_t a = random.below(bound);
    const std::uint64_t b = random.below(bound);
    const std::uint64_t c = random.below(bound);
    CHECK(topology.delay(a, a) == 0ns);
    CHECK(topology.delay(a, b) >= 0ns);
    CHECK(topology.delay(a, b) == topology.delay(b, a));
    CHECK(topology.delay(a, c) <= topology.delay(a, b) + topology.delay(b, c));
  }
}

}  // namespace

TEST_CASE("Pastry 2.1: the metric of every topology is reflexive, symmetric, a metric") {
  for (const std::string_view text :
       {"none", "uniform:2ms", "plane", "plane:50ms", "plane:1ns", "plane:0s", "plane:60s"}) {
    CAPTURE(text);
    const auto topology = parse_topology(text, 9);
    REQUIRE(topology);
    check_metric(**topology, 10);
  }
  check_metric(*make_plane({3, 100ms, 0ns}), 11);
}

TEST_CASE("Pastry 3: nodes of a plane are spread evenly over the square") {
  PlaneOptions options;
  options.base = 0ns;
  const auto plane = make_plane(options);
  double sum = 0;
  nanoseconds longest{};
  constexpr int kPairs = 50000;
  for (std::uint64_t i = 0; i < kPairs; ++i) {
    const nanoseconds delay = plane->delay(2 * i, 2 * i + 1);
    sum += static_cast<double>(delay.count());
    longest = std::max(longest, delay);
  }
  // Mean distance of two random points of the unit square: 0.5214.
  CHECK(sum / kPairs / 1e8 == doctest::Approx(0.5214).epsilon(0.01));
  CHECK(longest < 142ms);
  CHECK(longest > 125ms);
}

TEST_CASE(
    "topology: the same seed gives the same delays under every compiler, another seed others") {
  const auto one = make_plane({1, 100ms, 100us});
  const auto two = make_plane({2, 100ms, 100us});
  int different = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    different += one->delay(0, i + 1) == two->delay(0, i + 1) ? 0 : 1;
  }
  CHECK(different > 95);
  CHECK(one->delay(0, 1) == 65042569ns);
  CHECK(one->delay(0, ~0ULL) == 46374215ns);
}

TEST_CASE("topology: what the command line takes") {
  const auto description = [](std::string_view text) {
    const auto topology = parse_topology(text, 4);
    REQUIRE(topology);
    return (*topology)->description();
  };
  CHECK(description("none") == "none");
  CHECK(description("uniform:0ms") == "none");
  CHECK(description("uniform:2ms") == "uniform:2ms");
  CHECK(description("uniform:1500us") == "uniform:1500us");
  CHECK(description("plane") == "plane:100ms (seed 4, base 100us)");
  CHECK(description("plane:50ms") == "plane:50ms (seed 4, base 100us)");
  CHECK((*parse_topology("uniform:3s", 1))->delay(1, 2) == 3s);
  CHECK((*parse_topology("none", 1))->delay(1, 2) == 0s);
  for (const std::string_view text :
       {"", ":", "plane:", "plane:5", "plane:ms", "plane:-1ms", "plane:61s", "plane:1.5ms",
        "plane:50ms ", "uniform", "uniform:", "uniform:99999999999999999999ms", "none:1ms",
        "ring:1ms", "Plane"}) {
    CAPTURE(text);
    const auto topology = parse_topology(text, 1);
    REQUIRE_FALSE(topology);
    CHECK(topology.error().find('\n') == std::string::npos);
    CHECK(topology.error().find("plane:SIDE") != std::string::npos);
  }
}
