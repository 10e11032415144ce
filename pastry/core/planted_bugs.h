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
  BUG(gap_queue_unbounded) \
  BUG(inactive_owner_grants) \
  BUG(gap_not_reserved) \
  BUG(owner_does_not_shrink) \
  BUG(successor_does_not_shrink) \
  BUG(join_without_backoff) \
  BUG(activation_before_probes) \
  BUG(gossiped_leaf_unprobed) \
  BUG(dead_purged) \
  BUG(dead_list_unbounded) \
  BUG(half_leaf_set_unrepaired) \
  BUG(death_gossip_believed) \
  BUG(suspicion_is_death) \
  BUG(never_declared_dead) \
  BUG(gossiped_rows_unprobed) \
  BUG(waiting_unbounded) \
  BUG(copies_unbounded) \
  BUG(batch_unbounded) \
  BUG(failed_set_unbounded) \
  BUG(join_never_repeated) \
  BUG(reservation_never_repeated) \
  BUG(batch_never_expires) \
  BUG(partition_not_healed) \
  BUG(duplicate_forgotten_early) \
  BUG(grant_leaves_unbounded) \
  BUG(detour_loses_payload) \
  BUG(detour_without_progress) \
  BUG(passive_repair_unprobed) \
  BUG(farewell_unbounded) \
  BUG(refusal_hurries) \
  BUG(reserved_unbounded) \
  BUG(stranger_probed_on) \
  BUG(copies_never_dropped) \
  BUG(first_contact_forgotten)
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
