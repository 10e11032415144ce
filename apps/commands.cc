#include "apps/commands.h"

#include <array>
#include <vector>

#include "apps/sim/sim_commands.h"

namespace pastry::cli {

extern const Command kNodeCommand;
extern const Command kClusterCommand;
extern const Command kClusterKillCommand;
extern const Command kClusterRestartCommand;
extern const Command kClusterAddCommand;
extern const Command kClusterPauseCommand;
extern const Command kClusterPartitionCommand;
extern const Command kClusterHealCommand;
extern const Command kClusterWaitHealthyCommand;
extern const Command kPutCommand;
extern const Command kGetCommand;
extern const Command kRmCommand;
extern const Command kWhereCommand;
extern const Command kPubCommand;
extern const Command kSubCommand;
extern const Command kTopicCommand;
extern const Command kLookupCommand;
extern const Command kTraceCommand;
extern const Command kNearestCommand;
extern const Command kRingCommand;
extern const Command kStatusCommand;
extern const Command kSimIdleCommand;

std::span<const Command* const> all_commands() {
  static constexpr std::array kOwn{
      &kNodeCommand,
      &kClusterCommand,
      &kClusterKillCommand,
      &kClusterRestartCommand,
      &kClusterAddCommand,
      &kClusterPauseCommand,
      &kClusterPartitionCommand,
      &kClusterHealCommand,
      &kClusterWaitHealthyCommand,
      &kPutCommand,
      &kGetCommand,
      &kRmCommand,
      &kWhereCommand,
      &kPubCommand,
      &kSubCommand,
      &kTopicCommand,
      &kLookupCommand,
      &kTraceCommand,
      &kNearestCommand,
      &kRingCommand,
      &kStatusCommand,
      &kSimIdleCommand,
  };
  static const std::vector<const Command*> all = [] {
    std::vector<const Command*> commands(kOwn.begin(), kOwn.end());
    const std::span<const Command* const> simulations = simulation_commands();
    commands.insert(commands.end(), simulations.begin(), simulations.end());
    return commands;
  }();
  return all;
}

}  // namespace pastry::cli
