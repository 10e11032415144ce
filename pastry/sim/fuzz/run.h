// Runs one plan: the actions with every invariant watched, then the network heals and the ring must
// become right, and then every lookup must be.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pastry/core/marks.h"
#include "pastry/sim/fuzz/guests.h"
#include "pastry/sim/fuzz/plan.h"
#include "pastry/sim/fuzz/watcher.h"

namespace pastry::sim::fuzz {

// How a line of a replay is given: the time since the start and what happened.
using Narrator = std::function<void(Duration, const std::string&)>;

struct RunOptions {
  // Traffic goes on after the ring has healed until so many events happened.
  std::uint64_t events_min = 10'000;
  // Every action, message and event, if set.
  Narrator narrate;
  // Services on the nodes, if set.
  GuestsFactory guests;
};

struct RunResult {
  std::optional<Violation> violation;
  Duration failed_at{};  // after the start, if violated
  bool crash_only = false;
  bool excused = false;  // crash-only, and its rules were given up before the end
  std::size_t nodes = 0;
  std::size_t fault_kinds = 0;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  std::uint64_t lookups = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t incorrect = 0;    // consistent deliveries by another than the closest active node
  std::uint64_t repeated = 0;     // deliveries of the same message by another node
  std::uint64_t undelivered = 0;  // lookups that ended otherwise, or died with their source
  Duration healing{};             // from the end of the faults to one right ring
  std::uint64_t trace_hash = 0;
  Marks marks;
  GuestFigures guests;  // empty without any
};

RunResult run(const Plan& plan, const RunOptions& options = {});

}  // namespace pastry::sim::fuzz
