#include "pastry/core/passed_joins.h"

#include <utility>

#include "pastry/core/directory.h"
#include "pastry/core/liveness.h"

namespace pastry {

namespace {

constexpr std::size_t kPassedMax = 64;

}  // namespace

void PassedJoins::keep(Handle next, const JoinRequest& request) {
  drop(request.joiner);
  if (passed_.size() >= kPassedMax) passed_.erase(passed_.begin());
  passed_.push_back({next, request});
}

std::vector<JoinRequest> PassedJoins::take(Handle dead) {
  std::vector<JoinRequest> taken;
  for (Passed& passed : passed_) {
    if (passed.next == dead) taken.push_back(std::move(passed.request));
  }
  std::erase_if(passed_, [dead](const Passed& passed) { return passed.next == dead; });
  return taken;
}

void PassedJoins::drop(Handle joiner) {
  std::erase_if(passed_,
                [joiner](const Passed& passed) { return passed.request.joiner == joiner; });
}

void PassedJoins::forget_answered(const Liveness& liveness) {
  std::erase_if(passed_, [&](const Passed& passed) { return !liveness.probing(passed.next); });
}

void PassedJoins::mark_handles(Directory& directory) const {
  for (const Passed& passed : passed_) {
    directory.mark(passed.next);
    directory.mark(passed.request.joiner);
    for (const Row& row : passed.request.rows) {
      for (const Handle peer : row.entries) directory.mark(peer);
    }
  }
}

}  // namespace pastry
