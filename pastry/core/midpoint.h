// The middle of an arc of the ring.
#pragma once

#include "pastry/core/id.h"

namespace pastry {

// Halfway up from `a` to `b`, rounded down.
constexpr Id midpoint(const Id& a, const Id& b) {
  const Id span = b - a;
  return a + Id(span.high() >> 1, (span.high() << 63) | (span.low() >> 1));
}

}  // namespace pastry
