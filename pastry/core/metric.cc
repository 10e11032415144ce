#include "pastry/core/metric.h"

#include <utility>

namespace pastry {

using proximity::Location;
using proximity::Proximity;

Proximity GeographicMetric::distance(const Directory& directory, Handle self, Handle peer) const {
  const Location& here = directory.host(self).location;
  const Location& there = directory.host(peer).location;
  if (!here.known() || !there.known()) return {};
  return proximity::geographic_distance(here.coordinates(), there.coordinates());
}

HopMetric::HopMetric(std::shared_ptr<const proximity::Topology> topology, Place place)
    : topology_(std::move(topology)), place_(std::move(place)) {}

Proximity HopMetric::distance(const Directory& directory, Handle self, Handle peer) const {
  const auto routers =
      topology_->routers_between(place_of(directory, self), place_of(directory, peer));
  return routers ? proximity::from_units(*routers) : Proximity();
}

std::uint64_t HopMetric::place_of(const Directory& directory, Handle node) const {
  return place_ ? place_(node) : directory.id(node).high();
}

}  // namespace pastry
