// Places on an arc of the ring: the middle, and what lies inside.
#pragma once

#include "pastry/core/id.h"

namespace pastry {

// Halfway up from `a` to `b`, rounded down.
constexpr Id midpoint(const Id& a, const Id& b) {
  const Id span = b - a;
  return a + Id(span.high() >> 1, (span.high() << 63) | (span.low() >> 1));
}

// Inside the arc that goes up from `low` to `high`, ends excluded; low == high is the whole ring.
constexpr bool strictly_between(const Id& id, const Id& low, const Id& high) {
  const Id place = clockwise_distance(low, id);
  const Id span = clockwise_distance(low, high);
  return place != Id() && (span == Id() || place < span);
}

}  // namespace pastry
