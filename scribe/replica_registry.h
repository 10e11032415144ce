// The registry of roots on the replica layer: one record per topic, updated conditionally, so that
// of two nodes that claim at the same time only one gets an epoch.
#pragma once

#include "pastry/replica/replica.h"
#include "scribe/root_registry.h"

namespace scribe {

class ReplicaRegistry final : public RootRegistry {
 public:
  // `replica` is the replica layer of the same node and must outlive this. A record has `copies`
  // copies, fewer if the ring or its leaf sets are smaller.
  explicit ReplicaRegistry(pastry::replica::Replica& replica, int copies = 3)
      : replica_(&replica), copies_(copies) {}

  void claim(pastry::Context context, const pastry::Key& group, std::string_view topic,
             const Position& known, ClaimCallback done) override;

 private:
  struct Claim;

  void read(pastry::Context context, std::shared_ptr<Claim> claim);
  void write(pastry::Context context, std::shared_ptr<Claim> claim, std::uint64_t version);

  pastry::replica::Replica* replica_;
  int copies_;
};

}  // namespace scribe
