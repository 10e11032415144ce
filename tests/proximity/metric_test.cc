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
