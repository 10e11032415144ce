// Rare paths that a campaign of random simulations must reach: each hit is counted while somebody
// watches (Config::marks), and costs a comparison otherwise.
//
// A mark that no simulation reaches is a path that nothing tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pastry/core/config.h"

namespace pastry {

// clang-format off
#define PASTRY_MARKS(MARK) \
  MARK(lease_request_repeated) \
  MARK(acknowledged_by_newer) \
  MARK(copy_held) \
  MARK(custody_handed_back) \
  MARK(witness_called) \
  MARK(partition_suspected) \
  MARK(remembered_peers_asked) \
  MARK(ring_founded_again) \
  MARK(inactive_seed_found) \
  MARK(active_seed_found) \
  MARK(join_refusal_heard) \
  MARK(join_admitted_not_active) \
  MARK(join_repeated) \
  MARK(join_refused_not_placed) \
  MARK(join_kept_until_active) \
  MARK(join_handed_to_owner) \
  MARK(join_passed_on_again) \
  MARK(grant_repeated_in_batch) \
  MARK(grant_repeated_later) \
  MARK(join_queued_again) \
  MARK(join_queue_full) \
  MARK(joiners_of_other_gap) \
  MARK(batch_full) \
  MARK(batch_of_several) \
  MARK(successor_waited_for) \
  MARK(reservation_refused) \
  MARK(nearer_neighbour_told) \
  MARK(batch_member_gone) \
  MARK(successor_gone_while_reserving) \
  MARK(reservation_repeated) \
  MARK(reservation_given_up) \
  MARK(batch_expired) \
  MARK(reserve_refused_inactive) \
  MARK(reserve_heard_again) \
  MARK(reserve_refused_not_neighbour) \
  MARK(reservation_expired) \
  MARK(suspicion_revoked) \
  MARK(dead_peer_heard) \
  MARK(reported_dead_probed) \
  MARK(unlisted_leaf_probed) \
  MARK(whole_side_guarded) \
  MARK(asked_around_again) \
  MARK(silence_does_not_count) \
  MARK(lease_withheld) \
  MARK(nearer_grant_waits_for_guard) \
  MARK(newcomer_probed_first) \
  MARK(leaf_left) \
  MARK(other_left) \
  MARK(ping_became_leaf_probe) \
  MARK(unsteady_peer_given_time) \
  MARK(peer_suspected) \
  MARK(straight_link_works_again) \
  MARK(dead_peer_came_back) \
  MARK(others_tried_with_it) \
  MARK(stranger_did_not_answer) \
  MARK(own_stall_noticed) \
  MARK(probe_repeated) \
  MARK(dead_list_full) \
  MARK(leaf_died) \
  MARK(other_peer_died) \
  MARK(death_spread) \
  MARK(whole_side_lost) \
  MARK(incarnation_replaced) \
  MARK(asked_over_others) \
  MARK(route_over_other_learnt) \
  MARK(relayed_for_others) \
  MARK(relay_refused) \
  MARK(straight_link_tried) \
  MARK(relay_lost) \
  MARK(dead_leaf_tried) \
  MARK(bootstrap_tried) \
  MARK(lost_node_found) \
  MARK(seek_passed_on) \
  MARK(message_refused_not_placed) \
  MARK(everybody_suspected) \
  MARK(unacknowledged_full) \
  MARK(duplicate_dropped) \
  MARK(hop_attempts_used_up) \
  MARK(last_hop_repeated) \
  MARK(former_root_tried) \
  MARK(hop_repeated) \
  MARK(alternative_hop_taken) \
  MARK(messages_of_dead_rerouted) \
  MARK(operation_timed_out) \
  MARK(asked_peer_died) \
  MARK(suspended) \
  MARK(suspended_asks_around) \
  MARK(suspended_waits_for_others)
// clang-format on

enum class Mark : std::uint8_t {
#define PASTRY_MARK_ENUMERATOR(name) name,
  PASTRY_MARKS(PASTRY_MARK_ENUMERATOR)
#undef PASTRY_MARK_ENUMERATOR
};

inline constexpr auto kMarkNames = std::to_array<std::string_view>({
#define PASTRY_MARK_NAME(name) #name,
    PASTRY_MARKS(PASTRY_MARK_NAME)
#undef PASTRY_MARK_NAME
});
inline constexpr std::size_t kMarkCount = kMarkNames.size();

struct Marks {
  std::array<std::uint64_t, kMarkCount> hits{};
};

inline void note(const Config& config, Mark mark) {
  if (config.marks != nullptr) ++config.marks->hits[static_cast<std::size_t>(mark)];
}

}  // namespace pastry
