// What one random simulation does: configuration, nodes, and an explicit list of actions.
//
// The seed decides the plan, and the plan decides the simulation, so that a failing seed can be
// replayed, and a plan can be cut down to the actions that matter (minimise.h). Actions name their
// nodes by index and carry their own randomness: taking some away leaves the others what they were.
// An action that makes no sense when its time has come (crash of a node that is down) does nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pastry/core/id.h"
#include "pastry/core/timestamp.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim::fuzz {

enum class ActionKind : std::uint8_t {
  join,         // `node` joins through `other`, or founds the ring if nobody runs
  crash,        // `node` is gone without a word
  restart,      // `node` comes back with the next incarnation through those it remembers
  leave,        // `node` leaves gracefully
  pause,        // `node` stops like by SIGSTOP
  resume,       // and goes on
  split,        // `node` moves to side `count` of a partition
  unite,        // no partition any more
  cut,          // what `node` sends to `other` is lost
  mend,         // no link is cut any more
  unreachable,  // `node` is told that the connection to `other` broke
  lookups,      // `count` lookups from `node`
  requests,     // `count` requests from `node` to its neighbours
  work,         // `count` operations of the services at `node`
};
inline constexpr std::size_t kActionKinds = 14;
std::string_view name(ActionKind kind);

struct Action {
  Duration at{};  // after the start
  ActionKind kind = ActionKind::lookups;
  std::uint32_t node = 0;
  std::uint32_t other = 0;
  std::uint32_t count = 0;
  std::uint64_t salt = 0;  // of what is random in it
};

struct Plan {
  std::uint64_t seed = 1;
  SimulatorOptions options;
  std::vector<NodeId> ids;      // of the nodes, by index
  std::vector<Action> actions;  // ascending `at`
  // Which services run on the nodes, where there are any to run (guests.h).
  bool files = false;
  bool topics = false;

  // The unit of time: periods of the heartbeat.
  Duration beat() const { return options.config.heartbeat_period; }
  // Nothing in it makes a live node look dead: CorrectDelivery must hold throughout.
  bool crash_only() const;
  // How many kinds of faults it has (of nodes, links and messages).
  std::size_t fault_kinds() const;
};

// The plan of a seed; the same on every machine.
Plan make_plan(std::uint64_t seed);

// For people: one line on the configuration, one on an action.
std::string describe_configuration(const Plan& plan);
std::string describe(const Action& action);

}  // namespace pastry::sim::fuzz
