// Metrics that are not measured, and which conditions of a metric each keeps [Pastry §2.1].
#include "proximity/metric.h"

#include "proximity/location.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "pastry/core/random.h"
#include "proximity/topology.h"

using namespace proximity;
using pastry::Random;

namespace {

using Ipv4 = std::array<std::uint8_t, 4>;

Ipv4 ipv4(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

std::uint64_t subnets_apart(std::uint32_t a, std::uint32_t b) {
  return units_of(subnet_distance(ipv4(a), ipv4(b)));
}

double milliseconds(std::chrono::nanoseconds delay) {
  return static_cast<double>(delay.count()) / 1e6;
}

void check_is_metric(const MetricConditions& found) {
  CHECK(found.triangles > 0);
  CHECK(found.not_reflexive == 0);
  CHECK(found.not_symmetric == 0);
  CHECK(found.triangles_broken == 0);
}

}  // namespace

TEST_CASE("Pastry 2.1: subnet numbers are reflexive, symmetric, a metric") {
  Random random(1);
  std::vector<Ipv4> hosts;
  // Subnets of every size, so that short and long prefixes occur.
  for (int i = 0; i < 40; ++i) {
    const auto rest = static_cast<std::uint32_t>(random.next());
    hosts.push_back(ipv4(0x0a0b0c0dU ^ (rest >> random.below(32))));
  }
  check_is_metric(check_metric_conditions(40, [&](std::uint32_t a, std::uint32_t b) {
    return static_cast<double>(units_of(subnet_distance(hosts[a], hosts[b])));
  }));
}

TEST_CASE("subnet numbers: what is left of the address behind the shared prefix") {
  CHECK(subnets_apart(0x0a000001, 0x0a000001) == 0);
  CHECK(subnets_apart(0x0a000001, 0x0a000000) == 1);
  CHECK(subnets_apart(0x0a000001, 0x0a0000ff) == 8);
  CHECK(subnets_apart(0x0a000001, 0x0a000101) == 9);
  CHECK(subnets_apart(0x0a000001, 0x8a000001) == 32);
  const std::array<std::uint8_t, 16> ipv6{0xfd};
  CHECK(units_of(subnet_distance(ipv6, ipv4(1))) == 128);
  CHECK(units_of(subnet_distance(ipv6, ipv6)) == 0);
  CHECK(subnet_distance(ipv4(1), ipv4(2)) < subnet_distance(ipv4(1), ipv4(4)));
}

TEST_CASE("Pastry 2.1: geographic distances are reflexive, symmetric, a metric") {
  Random random(2);
  std::vector<Coordinates> places{{90, 0}, {-90, 0}, {0, 180}, {0, -180}};
  while (places.size() < 40) {
    places.push_back({static_cast<double>(random.below(18001)) / 100 - 90,
                      static_cast<double>(random.below(36001)) / 100 - 180});
  }
  const auto found = check_metric_conditions(
      40, [&](std::uint32_t a, std::uint32_t b) { return great_circle_m(places[a], places[b]); });
  CHECK(found.not_reflexive == 0);
  CHECK(found.not_symmetric == 0);
  // Points on one great circle are exactly as far apart as the triangle allows: only rounding.
  CHECK(found.worst_ratio < 1 + 1e-9);
}

TEST_CASE("geographic distances: known ones, and those of ends that meet") {
  const Coordinates munich{48.137, 11.575};
  const Coordinates sydney{-33.868, 151.209};
  CHECK(great_circle_m(munich, sydney) == doctest::Approx(16'318'000).epsilon(0.005));
  CHECK(great_circle_m({0, 179.999}, {0, -179.999}) == doctest::Approx(222.4).epsilon(0.001));
  CHECK(great_circle_m({90, 0}, {-90, 77}) == doctest::Approx(20'015'087).epsilon(1e-6));
  CHECK(units_of(geographic_distance(munich, munich)) == 0);
  CHECK(units_of(geographic_distance({0, 0}, {0, 0.001})) == 12);  // 111.2 m
  CHECK(geographic_distance(munich, sydney) > geographic_distance(munich, {52.52, 13.405}));
}

TEST_CASE("coordinates are read with their limits") {
  REQUIRE(parse_coordinates("48.137,11.575"));
  CHECK(*parse_coordinates("-33.868,151.209") == Coordinates{-33.868, 151.209});
  CHECK(*parse_coordinates("90,-180") == Coordinates{90, -180});
  for (const char* bad : {"", "48.1", "48.1,", ",11", "91,0", "0,181", "nan,0", "1,2,3", "a,b"}) {
    CAPTURE(bad);
    const auto parsed = parse_coordinates(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().find("LATITUDE,LONGITUDE") != std::string::npos);
  }
}

TEST_CASE("Pastry 2.1: delays of an emulated internet are a metric") {
  const auto internet = make_transit_stub({});
  check_is_metric(check_metric_conditions(
      40, [&](std::uint32_t a, std::uint32_t b) { return milliseconds(internet->delay(a, b)); }));
}

TEST_CASE("a real metric breaks the triangle inequality: measured round trips") {
  // Frankfurt, Madrid, New York: the way between the first two that the providers chose is longer
  // than the one over the third.
  const auto measured =
      make_delay_matrix("cities", "0 140 45\n140 0 50\n45 50 0\n", std::chrono::nanoseconds(0));
  REQUIRE(measured);
  const auto found = check_metric_conditions(
      3, [&](std::uint32_t a, std::uint32_t b) { return milliseconds((*measured)->delay(a, b)); });
  CHECK(found.not_reflexive == 0);
  CHECK(found.not_symmetric == 0);
  CHECK(found.triangles == 6);
  CHECK(found.triangles_broken == 2);
  CHECK(found.worst_ratio == doctest::Approx(140.0 / 95));
}

TEST_CASE("the conditions are seen where they do not hold") {
  const auto found = check_metric_conditions(3, [](std::uint32_t a, std::uint32_t b) {
    return a == 0 && b == 2 ? 6.0 : 1.0;  // from a point to itself, too
  });
  CHECK(found.not_reflexive == 3);
  CHECK(found.not_symmetric == 1);
  CHECK(found.triangles_broken == 1);
  CHECK(found.worst_ratio == 3);
}

TEST_CASE("units come back as they were given") {
  for (const std::uint64_t units : {0, 1, 32, 128, 2001})
    CHECK(units_of(from_units(units)) == units);
  CHECK(units_of(from_units(~0ULL)) == doctest::Approx(3.6e9).epsilon(0.0005));
  CHECK(from_units(7) < from_units(8));
  CHECK(from_units(~0ULL).known());
}

TEST_CASE("hop counts are reflexive and symmetric, but the quickest way has not the fewest hops") {
  TransitStubOptions options;
  options.seed = 6;  // in many of these networks nothing breaks
  const auto internet = make_transit_stub(options);
  constexpr std::uint32_t kPlaces = 150;
  const auto hops = [&](std::uint32_t a, std::uint32_t b) {
    return static_cast<double>(*internet->routers_between(a, b));
  };
  const auto found = check_metric_conditions(kPlaces, hops);
  CHECK(found.not_reflexive == 0);
  CHECK(found.not_symmetric == 0);
  // Seldom and by little: messages take the shortest way in time.
  CHECK(found.triangles_broken > 0);
  CHECK(found.triangles_broken * 10'000 < found.triangles);
  CHECK(found.worst_ratio < 1.2);
  for (std::uint32_t a = 1; a < kPlaces; ++a) CHECK(hops(0, a) >= 1);
}

TEST_CASE("addresses of an emulated internet: who shares a network shares a prefix") {
  const auto internet = make_transit_stub({});
  std::uint64_t near_ns = 0;
  std::uint64_t near_pairs = 0;
  std::uint64_t far_ns = 0;
  std::uint64_t far_pairs = 0;
  for (std::uint32_t a = 0; a < 300; ++a) {
    const std::uint32_t address = *internet->address(a);
    CHECK((address >> 24) == 127);
    CHECK((address & 0xff) != 0);
    CHECK((address & 0xff) != 0xff);
    for (std::uint32_t b = 0; b < a; ++b) {
      const auto delay = static_cast<std::uint64_t>(internet->delay(a, b).count());
      const bool near = subnets_apart(address, *internet->address(b)) <= 16;
      (near ? near_ns : far_ns) += delay;
      ++(near ? near_pairs : far_pairs);
    }
  }
  REQUIRE(near_pairs > 100);  // at the same transit router
  CHECK(near_ns / near_pairs * 3 < far_ns / far_pairs);
}

TEST_CASE("coordinates of a globe: as far apart as its delays are long") {
  SphereOptions options;
  options.base = std::chrono::nanoseconds(0);
  const auto sphere = make_sphere(options);
  for (std::uint32_t a = 0; a < 200; ++a) {
    const auto here = sphere->coordinates(a);
    const auto there = sphere->coordinates(a + 1);
    REQUIRE(here);
    const double share =
        static_cast<double>(sphere->delay(a, a + 1).count()) / static_cast<double>(100'000'000);
    CHECK(great_circle_m(*here, *there) == doctest::Approx(20'015'087 * share).epsilon(1e-6));
    // What is kept of them is exact to some centimetres.
    CHECK(great_circle_m(*here, Location(*here).coordinates()) < 0.02);
  }
  CHECK_FALSE(make_plane({})->coordinates(0));
  CHECK_FALSE(make_plane({})->routers_between(0, 1));
  CHECK_FALSE(make_uniform(std::chrono::nanoseconds(0))->address(0));
}

TEST_CASE("locations: steps within their limits, and as text") {
  CHECK_FALSE(Location().known());
  CHECK(location_text(Location({48.137, -11.575})) == "48.1370000,-11.5750000");
  CHECK(Location(*parse_coordinates(location_text(Location({-90, 180})))) == Location({-90, 180}));
  CHECK(Location::from_steps(900'000'000, -1'800'000'000));
  CHECK_FALSE(Location::from_steps(900'000'001, 0));
  CHECK_FALSE(Location::from_steps(0, 1'800'000'001));
  REQUIRE(Location::from_steps(Location::kNone, 5));
  CHECK(*Location::from_steps(Location::kNone, 5) == Location());
}
