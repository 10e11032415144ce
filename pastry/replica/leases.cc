#include "pastry/replica/leases.h"

#include "pastry/core/application_ids.h"
#include "pastry/replica/survey_operation.h"

namespace pastry::replica {

namespace {

constexpr std::size_t kAtATime = 16;
constexpr std::size_t kLeasesMax = 65536;
constexpr int kMissesToExpire = 2;
// A parent that exists is looked for again so many leases later (it may be removed).
constexpr int kLeasesBetweenChecks = 4;

}  // namespace

void Leases::note(Context context, const StoreName& parent) {
  if (leases_.size() >= kLeasesMax) return;
  leases_.try_emplace(parent, Lease{context.now() + operations_->options.lease, 0, false});
}

bool Leases::expired(const StoreName& parent) const {
  const auto lease = leases_.find(parent);
  return lease != leases_.end() && lease->second.misses >= kMissesToExpire;
}

void Leases::check(Context context) {
  for (auto& [parent, lease] : leases_) {
    if (asking_ >= kAtATime) return;
    if (lease.asking || lease.due > context.now()) continue;
    lease.asking = true;
    ++asking_;
    operations_->begin(
        context, std::make_shared<WhereOperation>(
                     *operations_, kReplicaApplication, parent, Duration::zero(),
                     [this, name = parent](Context c, const Result<Whereabouts>& where) {
                       const bool missing = !where && where.error().code == ErrorCode::not_found;
                       answered(c, name, where.has_value(), where.has_value() || missing);
                     }));
  }
}

void Leases::answered(Context context, const StoreName& parent, bool exists, bool definite) {
  --asking_;
  const auto found = leases_.find(parent);
  if (found == leases_.end()) return;
  Lease& lease = found->second;
  const Duration period = operations_->options.lease;
  lease.asking = false;
  // Long after its parts were dropped here and everywhere.
  if (definite && !exists && lease.misses > kMissesToExpire) {
    leases_.erase(found);
    return;
  }
  lease.due = context.now() + period * (exists ? kLeasesBetweenChecks : 1);
  if (definite) lease.misses = exists ? 0 : lease.misses + 1;
}

}  // namespace pastry::replica
