// Bugs that the checkers must find. Only a build of its own contains them (tests/mutants, with
// PASTRY_PLANT_BUGS): in the product PASTRY_BUG(name) is the constant false.
//
// Each comes from the pitfalls that broke real implementations (protocol reference §5).
#pragma once

#ifdef PASTRY_PLANT_BUGS

#include <array>
#include <cstddef>
#include <string_view>

namespace pastry {

// clang-format off
#define PASTRY_PLANTED_BUGS(BUG) \
  BUG(unacknowledged_unbounded) \
  BUG(duplicate_not_removed) \
  BUG(hop_ack_dropped) \
  BUG(request_loops_to_joiner) \
  BUG(gap_queue_unbounded) \
  BUG(inactive_owner_grants) \
  BUG(successor_not_waited_for) \
  BUG(gap_not_reserved) \
  BUG(owner_does_not_shrink) \
  BUG(batch_not_waited_for) \
  BUG(reserve_granted_blindly) \
  BUG(successor_does_not_shrink) \
  BUG(join_without_backoff) \
  BUG(activation_before_probes) \
  BUG(gossiped_leaf_unprobed) \
  BUG(dead_purged) \
  BUG(dead_list_unbounded) \
  BUG(half_leaf_set_unrepaired) \
  BUG(incarnation_ignored) \
  BUG(death_gossip_believed) \
  BUG(suspicion_is_death) \
  BUG(stall_taken_for_death) \
  BUG(never_declared_dead) \
  BUG(gossiped_rows_unprobed)
// clang-format on

enum class PlantedBug : unsigned char {
  none,
#define PASTRY_BUG_ENUMERATOR(name) name,
  PASTRY_PLANTED_BUGS(PASTRY_BUG_ENUMERATOR)
#undef PASTRY_BUG_ENUMERATOR
};

inline constexpr auto kPlantedBugNames =
    std::to_array<std::string_view>({"none",
#define PASTRY_BUG_NAME(name) #name,
                                     PASTRY_PLANTED_BUGS(PASTRY_BUG_NAME)
#undef PASTRY_BUG_NAME
    });

// Set once, before any node runs.
extern PlantedBug planted_bug;

}  // namespace pastry

#define PASTRY_BUG(name) (::pastry::planted_bug == ::pastry::PlantedBug::name)
#else
#define PASTRY_BUG(name) false
#endif
