// Nearness by addresses: the longer the prefix that two processes share, the nearer they are.
#pragma once

#include "pastry/core/metric.h"

namespace pastry::wire {

// Bits of the address behind the prefix that both share (proximity/metric.h), of the address that
// each process prefers (the first one in its description). Unknown if that is a name or missing.
class SubnetMetric final : public Metric {
 public:
  proximity::Proximity distance(const Directory& directory, Handle self,
                                Handle peer) const override;
};

}  // namespace pastry::wire
