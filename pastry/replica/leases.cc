#include "pastry/replica/leases.h"

#include "pastry/core/application_ids.h"
#include "pastry/replica/survey_operation.h"

namespace pastry::replica {

namespace {

constexpr std::size_t kAtATime = 16;
constexpr std::size_t kLeasesMax = 65536;
constexpr int kMissesToExpire = 2;
// Of a parent that existed: two weeks at the default lease.
constexpr int kMissesOfConfirmed = 56;
// A part that has lived so many leases has been confirmed, in an earlier life of this process.
constexpr int kLeasesOfProbation = 4;
// How long what expired here is remembered: another holder may find out as much later, and what it
// offers until then would pass for an old part that was confirmed once.
constexpr int kLeasesRemembered = 4;
// A parent that exists is looked for again so many leases later (it may be removed).
constexpr int kLeasesBetweenChecks = 4;

}  // namespace

void Leases::note(Context context, const StoreName& parent, std::int64_t created) {
  auto found = leases_.find(parent);
  if (found == leases_.end()) {
    if (leases_.size() >= kLeasesMax) return;  // noted when others have gone
    Lease lease;
    lease.due = context.now() + operations_->options.lease;
    const auto probation = std::chrono::duration_cast<std::chrono::seconds>(
        kLeasesOfProbation * operations_->options.lease);
    lease.confirmed = context.wall_time().unix_seconds - created > probation.count();
    found = leases_.emplace(parent, lease).first;
  }
  found->second.scan = scan_;
}

void Leases::end_scan() {
  // Expired ones stay for a while: neighbours may still offer the parts.
  std::erase_if(leases_, [this](const auto& entry) {
    const Lease& lease = entry.second;
    return lease.scan != scan_ && !lease.asking && !expired(lease);
  });
}

bool Leases::expired(const Lease& lease) {
  return lease.removed || lease.misses >= (lease.confirmed ? kMissesOfConfirmed : kMissesToExpire);
}

bool Leases::expired(const StoreName& parent) const {
  const auto lease = leases_.find(parent);
  return lease != leases_.end() && expired(lease->second);
}

void Leases::check(Context context) {
  for (auto& [parent, lease] : leases_) {
    if (asking_ >= kAtATime) return;
    if (lease.asking || lease.due > context.now()) continue;
    lease.asking = true;
    ++asking_;
    operations_->begin(
        context,
        std::make_shared<WhereOperation>(
            *operations_, kReplicaApplication, parent, Duration::zero(),
            [this, name = parent](Context c, const Result<Whereabouts>& where, bool removed) {
              const bool missing = !where && where.error().code == ErrorCode::not_found;
              answered(c, name,
                       where     ? Finding::exists
                       : removed ? Finding::removed
                       : missing ? Finding::missing
                                 : Finding::unknown);
            }));
  }
}

void Leases::answered(Context context, const StoreName& parent, Finding finding) {
  --asking_;
  const auto found = leases_.find(parent);
  if (found == leases_.end()) return;
  Lease& lease = found->second;
  lease.asking = false;
  const bool exists = finding == Finding::exists;
  if (expired(lease) && (finding == Finding::missing || finding == Finding::removed)) {
    // Long after its parts were dropped here and everywhere.
    if (++lease.remembered >= kLeasesRemembered) {
      leases_.erase(found);
    } else {
      lease.due = context.now() + operations_->options.lease;
    }
    return;
  }
  lease.due = context.now() + operations_->options.lease * (exists ? kLeasesBetweenChecks : 1);
  if (finding == Finding::missing) ++lease.misses;
  if (finding == Finding::removed) lease.removed = true;
  if (exists) {
    lease.misses = 0;
    lease.remembered = 0;
    lease.confirmed = true;
    lease.removed = false;
  }
}

}  // namespace pastry::replica
