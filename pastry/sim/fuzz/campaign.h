// Many seeds, on several threads: each is a simulation of its own.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pastry/sim/fuzz/run.h"

namespace pastry::sim::fuzz {

struct CampaignOptions {
  std::uint64_t first = 1;
  std::uint64_t last = 100;  // inclusive
  unsigned jobs = 1;
  // Real time after which no further seed is begun; zero: no limit.
  std::chrono::seconds time_max{};
  std::uint64_t events_min = 10'000;
  // Services on the nodes, if set; called from several threads.
  GuestsFactory guests;
  // Each seed, before and after it ran; called from one thread at a time.
  std::function<void(std::uint64_t seed)> begins;
  std::function<void(std::uint64_t seed, const RunResult&)> ends;
};

struct FailedSeed {
  std::uint64_t seed = 0;
  RunResult result;
};

struct CampaignReport {
  std::uint64_t seeds = 0;
  std::uint64_t crash_only = 0;
  std::uint64_t excused = 0;  // of those: rings apart of which nobody can know
  std::uint64_t events = 0;
  std::uint64_t events_least = 0;  // of any seed that did not fail
  std::uint64_t messages = 0;
  std::size_t fault_kinds_least = 0;
  std::uint64_t lookups = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t incorrect = 0;
  std::uint64_t repeated = 0;
  std::uint64_t undelivered = 0;
  double healing_mean_beats = 0;
  double healing_max_beats = 0;
  // By mark: the seeds that reached it.
  std::array<std::uint64_t, kMarkCount> marks{};
  GuestFigures guests;  // of all seeds
  double wall_s = 0;
  std::vector<FailedSeed> failures;  // by seed
};

CampaignReport run_campaign(const CampaignOptions& options);

}  // namespace pastry::sim::fuzz
