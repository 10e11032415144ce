// Distances other than the measured round-trip time, for the proximity metric [Pastry §2.1].
//
// The overlay asks for a scalar that is reflexive (nobody is nearer to a node than itself),
// symmetric and keeps the triangle inequality; it works with less, at the price of longer routes.
// Subnet numbers and geographic distances (location.h) are metrics in that sense. Measured round
// trips and hop counts are symmetric and may break the triangle inequality: ways through the
// internet often are shorter over a third party. All functions are pure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "proximity/proximity.h"

namespace proximity {

// A distance in whole units of a metric that counts something else than time; smaller is nearer.
// More than 3.6e9 units count as that many.
Proximity from_units(std::uint64_t units);
// What from_units() was given, within the precision of Proximity; only if known().
std::uint64_t units_of(Proximity distance);

// Bits of the longer address that are left when the prefix that both share is taken away: 0 for the
// same address, 8 within the same /24 of IPv4. Addresses of different lengths share nothing.
Proximity subnet_distance(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

// What of a metric does not hold among the points 0 … count - 1; each number counts the pairs, or
// the ordered triples of distinct points, that break a condition.
struct MetricConditions {
  std::uint64_t not_reflexive = 0;     // d(a, a) > 0
  std::uint64_t not_symmetric = 0;     // d(a, b) != d(b, a)
  std::uint64_t triangles = 0;         // triples looked at
  std::uint64_t triangles_broken = 0;  // d(a, c) > d(a, b) + d(b, c)
  double worst_ratio = 0;              // largest d(a, c) / (d(a, b) + d(b, c)) of the broken ones
};
MetricConditions check_metric_conditions(
    std::uint32_t count, const std::function<double(std::uint32_t, std::uint32_t)>& distance);

}  // namespace proximity
