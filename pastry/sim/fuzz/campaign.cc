#include "pastry/sim/fuzz/campaign.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace pastry::sim::fuzz {
namespace {

using RealClock = std::chrono::steady_clock;

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options), began_(RealClock::now()), next_(options.first) {}

  CampaignReport run() {
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < options_.jobs; ++i) threads.emplace_back([this] { work(); });
    work();
    for (std::thread& thread : threads) thread.join();
    std::sort(report_.failures.begin(), report_.failures.end(),
              [](const FailedSeed& a, const FailedSeed& b) { return a.seed < b.seed; });
    if (report_.seeds > report_.failures.size()) {
      report_.healing_mean_beats =
          healing_beats_ / static_cast<double>(report_.seeds - report_.failures.size());
    }
    report_.wall_s = elapsed();
    return std::move(report_);
  }

 private:
  double elapsed() const {
    return std::chrono::duration<double>(RealClock::now() - began_).count();
  }

  void work() {
    const auto time_max = static_cast<double>(options_.time_max.count());
    for (;;) {
      const std::uint64_t seed = next_.fetch_add(1);
      if (seed > options_.last || (time_max > 0 && elapsed() >= time_max)) return;
      begin(seed);
      const Plan plan = make_plan(seed);
      RunOptions run_options;
      run_options.events_min = options_.events_min;
      run_options.guests = options_.guests;
      RunResult result = fuzz::run(plan, run_options);
      const std::lock_guard lock(mutex_);
      note(seed, std::move(result), plan.beat());
    }
  }

  void begin(std::uint64_t seed) {
    const std::lock_guard lock(mutex_);
    if (options_.begins) options_.begins(seed);
  }

  void note(std::uint64_t seed, RunResult result, Duration beat) {
    if (options_.ends) options_.ends(seed, result);
    CampaignReport& r = report_;
    const bool first = r.seeds == r.failures.size();
    ++r.seeds;
    r.crash_only += result.crash_only ? 1 : 0;
    r.excused += result.excused ? 1 : 0;
    r.events += result.events;
    r.messages += result.messages;
    for (std::size_t i = 0; i < kMarkCount; ++i) r.marks[i] += result.marks.hits[i] > 0 ? 1 : 0;
    for (const auto& [what, often] : result.guests) r.guests[what] += often;
    r.lookups += result.lookups;
    r.deliveries += result.deliveries;
    r.incorrect += result.incorrect;
    r.repeated += result.repeated;
    r.undelivered += result.undelivered;
    r.fault_kinds_least =
        r.seeds == 1 ? result.fault_kinds : std::min(r.fault_kinds_least, result.fault_kinds);
    if (result.violation) {
      r.failures.push_back({seed, std::move(result)});
    } else {
      r.events_least = first ? result.events : std::min(r.events_least, result.events);
      const double beats = std::chrono::duration<double>(result.healing).count() /
                           std::chrono::duration<double>(beat).count();
      healing_beats_ += beats;
      r.healing_max_beats = std::max(r.healing_max_beats, beats);
    }
  }

  const CampaignOptions& options_;
  RealClock::time_point began_;
  std::atomic<std::uint64_t> next_;
  std::mutex mutex_;
  CampaignReport report_;
  double healing_beats_ = 0;
};

}  // namespace

CampaignReport run_campaign(const CampaignOptions& options) { return Campaign(options).run(); }

}  // namespace pastry::sim::fuzz
