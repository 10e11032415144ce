#include "pastry/sim/fuzz/minimise.h"

#include <algorithm>

namespace pastry::sim::fuzz {
namespace {

class Minimiser {
 public:
  Minimiser(const Plan& plan, const MinimiseOptions& options) : options_(options) {
    best_.plan = plan;
    best_.result = fuzz::run(plan, options.run);
    ++best_.runs;
  }

  Minimised run() {
    if (!best_.result.violation) return std::move(best_);
    for (bool smaller = true; smaller && !spent();) {
      smaller = without_nodes();
      smaller |= without_actions();
      smaller |= with_smaller_bursts();
      smaller |= with_quieter_network();
      smaller |= with_fewer_services();
    }
    return std::move(best_);
  }

 private:
  bool spent() const { return best_.runs >= options_.runs_max; }

  // Keeps `plan` if it breaks the same rule.
  bool keep_if_failing(Plan plan) {
    if (spent()) return false;
    RunResult result = fuzz::run(plan, options_.run);
    ++best_.runs;
    if (options_.progress) options_.progress(best_.runs, best_.plan.actions.size());
    if (!result.violation || result.violation->rule != best_.result.violation->rule) return false;
    best_.plan = std::move(plan);
    best_.result = std::move(result);
    return true;
  }

  bool without_actions() {
    bool smaller = false;
    std::size_t chunk = std::max<std::size_t>(1, best_.plan.actions.size() / 2);
    for (;; chunk /= 2) {
      for (std::size_t from = 0; from < best_.plan.actions.size() && !spent();) {
        Plan plan = best_.plan;
        const auto first = plan.actions.begin() + static_cast<std::ptrdiff_t>(from);
        const std::size_t count = std::min(chunk, plan.actions.size() - from);
        plan.actions.erase(first, first + static_cast<std::ptrdiff_t>(count));
        if (keep_if_failing(std::move(plan))) {
          smaller = true;
        } else {
          from += chunk;
        }
      }
      if (chunk == 1) return smaller;
    }
  }

  // Everything that a node does or that is done to it.
  bool without_nodes() {
    bool smaller = false;
    for (std::uint32_t node = 0; node < best_.plan.ids.size() && !spent(); ++node) {
      Plan plan = best_.plan;
      std::erase_if(plan.actions, [node](const Action& action) {
        return action.node == node && action.kind != ActionKind::unite &&
               action.kind != ActionKind::mend;
      });
      if (plan.actions.size() == best_.plan.actions.size()) continue;
      smaller |= keep_if_failing(std::move(plan));
    }
    return smaller;
  }

  bool with_smaller_bursts() {
    bool smaller = false;
    for (std::size_t i = 0; i < best_.plan.actions.size() && !spent(); ++i) {
      const Action& action = best_.plan.actions[i];
      const bool burst = action.kind == ActionKind::lookups ||
                         action.kind == ActionKind::requests || action.kind == ActionKind::work;
      if (!burst || action.count <= 1) continue;
      Plan plan = best_.plan;
      plan.actions[i].count /= 2;
      smaller |= keep_if_failing(std::move(plan));
    }
    return smaller;
  }

  bool with_quieter_network() {
    bool smaller = false;
    for (const NetworkShare& share : kNetworkShares) {
      if (!share.is_fault || best_.plan.options.network.*share.value == 0) continue;
      Plan plan = best_.plan;
      plan.options.network.*share.value = 0;
      smaller |= keep_if_failing(std::move(plan));
    }
    return smaller;
  }

  bool with_fewer_services() {
    bool smaller = false;
    for (bool Plan::*const service : {&Plan::files, &Plan::topics}) {
      if (!(best_.plan.*service)) continue;
      Plan plan = best_.plan;
      plan.*service = false;
      smaller |= keep_if_failing(std::move(plan));
    }
    return smaller;
  }

  const MinimiseOptions& options_;
  Minimised best_;
};

}  // namespace

Minimised minimise(const Plan& plan, const MinimiseOptions& options) {
  return Minimiser(plan, options).run();
}

}  // namespace pastry::sim::fuzz
