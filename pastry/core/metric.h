// What "near" means: the question that the core asks where something else than the measured
// round-trip time decides.
//
// Without a metric (Config::metric is null) the distance to a peer is the round-trip time that was
// measured. With one it is what the metric says; it decides which candidate stands in a slot of the
// routing table, who is in the neighbourhood set, and which replica a lookup goes to. It decides
// nothing else: a peer enters a table only after it answered, and timeouts follow measured times
// alone.
//
// An application may bring its own:
//
//   class ByRack final : public pastry::Metric {
//     proximity::Proximity distance(const Directory& directory, Handle self,
//                                   Handle peer) const override {
//       return proximity::from_units(directory.same_domain(self, peer) ? 0 : 1);
//     }
//   };
//
// All nodes of an overlay should have the same: nodes tell each other distances to find out whom to
// ask. In an overlay of several metrics routing stays right, but routes get longer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "pastry/core/directory.h"
#include "proximity/metric.h"
#include "proximity/topology.h"

namespace pastry {

class Metric {
 public:
  virtual ~Metric() = default;

  // How far `peer` is from `self`, both valid in `directory`; proximity::from_units() makes a
  // distance of any whole number. Unknown if it cannot be told: such a peer counts as farther than
  // all others. Should be symmetric, zero from a node to itself, and keep the triangle inequality,
  // by which nodes guess who is near; where it does not, routes are longer [Pastry §2.1].
  //
  // The same two peers always get the same distance. Called on the loop, for each answer of a peer:
  // must be quick, must not throw, and may be called by several nodes of a process in turn.
  virtual proximity::Proximity distance(const Directory& directory, Handle self,
                                        Handle peer) const = 0;
};

// Those that the house brings. subnet: pastry/wire/subnet_metric.h.
enum class MetricKind : unsigned char { round_trip, subnet, geographic, hops };

// Along the surface of the earth, by the locations in the descriptions of peers
// (HostInfo::location); unknown where one has none.
class GeographicMetric final : public Metric {
 public:
  proximity::Proximity distance(const Directory& directory, Handle self,
                                Handle peer) const override;
};

// Routers on the way through an emulated network, which must count them
// (Topology::routers_between). `place` tells where a node stands; without it the high half of its
// id does, as in a test cluster.
class HopMetric final : public Metric {
 public:
  using Place = std::function<std::uint64_t(Handle)>;
  explicit HopMetric(std::shared_ptr<const proximity::Topology> topology, Place place = {});

  proximity::Proximity distance(const Directory& directory, Handle self,
                                Handle peer) const override;

 private:
  std::uint64_t place_of(const Directory& directory, Handle node) const;

  std::shared_ptr<const proximity::Topology> topology_;
  Place place_;
};

}  // namespace pastry
