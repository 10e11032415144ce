// The exchange of rows and of neighbourhood sets: periodic constrained gossip [Pastry §2.5, PNS].
// It also fills the slots of dead entries, together with the passive repair of forwarder.cc.
#include <algorithm>
#include <optional>

#include "pastry/core/marks.h"
#include "pastry/core/nearness.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"
#include "pastry/core/upkeep.h"

namespace pastry {

namespace {

// Members of the neighbourhood set in an answer with rows: whom the asked knows nearest to it.
constexpr std::size_t kNearInReply = 8;
// Who is asked in a round of gossip is chosen among the nearest few of a level.
constexpr std::size_t kChosenAmong = 4;
// A slot is worth a probe if the gain is at least this part of the distance to the farthest entry:
// every row adds as much to the length of a route as its entries are far, so that a tenth of a near
// entry's distance is nothing and a tenth of a far one's much.
constexpr int kGainParts = 32;

std::uint64_t square(Duration time) {
  constexpr auto kMax = std::chrono::microseconds(1U << 31);
  const Duration bounded = std::clamp<Duration>(time, Duration::zero(), kMax);
  const auto us = static_cast<std::uint64_t>(bounded / std::chrono::microseconds(1));
  return us * us;
}

// Whether who is d away from somebody a away is likely to be nearer than t: in a plane it is
// sqrt(a^2 + d^2) away on average.
bool promising(Duration a, Duration d, Duration t) {
  return t > Duration::zero() && square(a) + square(d) < square(t);
}

Duration worthwhile_gain(const RoutingTable& table) {
  Proximity farthest = Proximity::from_nothing();
  table.for_each([&](Handle, Proximity distance) {
    if (distance.known()) farthest = std::max(farthest, distance);
  });
  return farthest.round_trip() / kGainParts;
}

}  // namespace

std::vector<Located> Upkeep::located_rows(const NodeState& node, int first, int last,
                                          Handle except) const {
  std::vector<Located> entries;
  const std::size_t count = node.tables.routing_table.count_in(first, last);
  entries.reserve(std::min(count + kNearInReply, kRowEntriesSentMax));
  node.tables.routing_table.for_each_in(first, last, [&](Handle peer, Proximity distance) {
    if (peer == except || entries.size() == kRowEntriesSentMax) return;
    entries.push_back({peer, distance});
  });
  return entries;
}

Proximity Upkeep::wanted(const NodeState& node, Handle peer) const {
  constexpr Proximity kNotAtAll = Proximity::from_nothing();
  const NodeId& id = node.id(peer);
  if (!node.member() || id == node.self_id()) return kNotAtAll;
  const RoutingTable::Held present = node.tables.routing_table.slot_of(id);
  return present.node == peer ? kNotAtAll : present.proximity;
}

// Who is near and shares as many digits has the same slots to fill in that row.
void Upkeep::announce(NodeState& node, Step& step, Handle peer, Duration round_trip) {
  const int shared = shared_prefix(node.self_id(), node.id(peer), node.config->digit_bits);
  node.send(step, peer, Announce{round_trip, located_rows(node, shared, shared, peer)});
}

void Upkeep::wanted_by(NodeState& node, Step& step, Handle peer, Duration round_trip) {
  if (settling_ && !settling_->done()) {
    settling_->wanted_by(peer, round_trip);
  } else {
    announce(node, step, peer, round_trip);
  }
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const Announce& announce) {
  node.liveness.set_active(node, step, from, true);
  node.liveness.probe_anew(from);  // who was never seen without a place, too
  seen_alive(*node.config, from, step.now);
  if (!node.placed()) return;
  node.liveness.replace_older(node, step, from);
  if (announce.round_trip >= Duration::zero() && node.liveness.via(from) == kNoHandle) {
    node.measured(from, announce.round_trip);
  } else {
    node.liveness.measure(node, step, from);
  }
  consider(node, step, from, announce.row);
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const RowRequest& request) {
  if (request.last >= node.tables.routing_table.row_count()) {
    ++node.counters.refused;
    return;
  }
  seen_alive(*node.config, from, step.now);
  RowReply reply{located_rows(node, request.first, request.last, from)};
  const NeighbourhoodSet& near = node.tables.neighbourhood;
  for (std::size_t rank = 0; rank < std::min(near.size(), kNearInReply); ++rank) {
    const Handle peer = near.at(rank);
    if (reply.entries.size() == kRowEntriesSentMax) break;
    if (peer == from || node.tables.routing_table.slot_of(node.id(peer)).node == peer) continue;
    reply.entries.push_back({peer, near.proximity_at(rank)});
  }
  node.send(step, from, std::move(reply));
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const RowReply& reply) {
  seen_alive(*node.config, from, step.now);
  if (settling_ && settling_->awaits(from)) {
    settling_->receive(node, step, from, reply);
    release_settled();
    return;
  }
  // Others name who belongs into a slot that they saw empty here: nobody may do so again.
  if (node.placed()) consider(node, step, from, reply.entries);
}

void Upkeep::receive(NodeState& node, Step& step, Handle from, const NeighbourhoodRequest&) {
  const NeighbourhoodSet& near = node.tables.neighbourhood;
  NeighbourhoodReply reply;
  for (std::size_t rank = 0; rank < near.size(); ++rank) {
    if (near.at(rank) != from) reply.members.push_back({near.at(rank), near.proximity_at(rank)});
  }
  node.send(step, from, std::move(reply));
}

// Who cannot be nearer than the farthest member is not measured. A joiner that found a ring needs
// only a few more to ask.
void Upkeep::receive(NodeState& node, Step& step, Handle from, const NeighbourhoodReply& reply) {
  const NeighbourhoodSet& near = node.tables.neighbourhood;
  const Proximity to_sender = distance_to(*node.directory, node.tables, from);
  std::size_t asked = 0;
  for (const Located& member : reply.members) {
    if (near.contains(member.peer)) continue;
    const bool bounded = near.full() && to_sender.known() && member.distance.known();
    const Proximity farthest = near.size() > 0 ? near.proximity_at(near.size() - 1) : Proximity();
    if (bounded && farthest.known() &&
        !promising(to_sender.round_trip(), member.distance.round_trip(), farthest.round_trip())) {
      continue;
    }
    if (node.joiner && node.joiner->has_seeds_enough(asked++)) break;
    node.liveness.measure(node, step, member.peer);
  }
}

// Whoever is named is probed, unless dead, if its slot is empty or holds somebody who is probably
// farther.
void Upkeep::consider(NodeState& node, Step& step, Handle from,
                      const std::vector<Located>& entries) {
  const RoutingTable& table = node.tables.routing_table;
  const Proximity to_sender = distance_to(*node.directory, node.tables, from);
  std::optional<Duration> gain;  // asks the whole table
  for (const Located& entry : entries) {
    const NodeId& id = node.id(entry.peer);
    if (entry.peer == node.self || id == node.self_id()) continue;
    const RoutingTable::Held present = table.slot_of(id);
    if (present.node == entry.peer) continue;
    if (PASTRY_BUG(gossiped_rows_unprobed) ||
        (PASTRY_BUG(passive_repair_unprobed) && entries.size() == 1)) {
      if (node.liveness.dead(node, step.now, entry.peer)) continue;
      node.tables.routing_table.consider(entry.peer, {});
      continue;
    }
    if (present.node != kNoHandle && present.proximity.known()) {
      if (!to_sender.known() || !entry.distance.known()) continue;
      // What most come to: one of the ways is as long as that to the present one already.
      if (std::max(to_sender, entry.distance) >= present.proximity) continue;
      if (!gain) gain = worthwhile_gain(table);
      if (!promising(to_sender.round_trip(), entry.distance.round_trip(),
                     present.proximity.round_trip() - *gain)) {
        continue;
      }
    }
    node.liveness.measure(node, step, entry.peer);
  }
}

// The quick rounds after a join ask for one level each.
void Upkeep::gossip(NodeState& node, Step& step) {
  const int rows = node.tables.routing_table.rows_used();
  if (gossip_period(*node.config) < node.config->table_upkeep_period) {
    if (rows > 0) ask_for_rows(node, step, (gossip_round_ - 1) % rows);
    return;
  }
  node.fill_empty_slots();
  ask_in_rows_ = !ask_in_rows_;
  for (int level = 0; level < rows; ++level) {
    if (!ask_in_rows_ || !ask_in_row(node, step, level)) ask_for_rows(node, step, level);
  }
  const std::vector<Handle> near = node.tables.neighbourhood.members();
  if (!near.empty()) {
    node.send(step, near[node.random.below(near.size())], NeighbourhoodRequest{});
  }
}

// Those that are nearest to each other (in one house, or where all are equally far) may lack the
// same entry, and asking only each other none would ever hear of it. So every other round goes to
// any member of the row [PNS]: the members of a row are spread over the ring, and one of them, or
// one that they ask in their turn, stands beside whoever belongs there. False if the row is empty.
bool Upkeep::ask_in_row(NodeState& node, Step& step, int level) {
  const std::vector<Handle> entries = node.tables.routing_table.row(level);
  if (entries.empty()) return false;
  const auto last = static_cast<std::uint8_t>(level);
  node.send(step, entries[node.random.below(entries.size())], RowRequest{0, last});
  return true;
}

// Of those that share so many digits the nearest have the most useful rows.
void Upkeep::ask_for_rows(NodeState& node, Step& step, int level) {
  const RoutingTable& table = node.tables.routing_table;
  std::vector<std::pair<Proximity, Handle>> near;
  near.reserve(table.size());
  table.for_each_in(level, table.rows_used() - 1,
                    [&](Handle peer, Proximity d) { near.emplace_back(d, peer); });
  if (near.empty()) return;
  const std::size_t among = std::min(near.size(), kChosenAmong);
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(among), near.end());
  const Handle asked = near[node.random.below(among)].second;
  const int shared = shared_prefix(node.self_id(), node.id(asked), table.digit_bits());
  node.send(step, asked,
            RowRequest{0, static_cast<std::uint8_t>(std::min(shared, table.row_count() - 1))});
}

}  // namespace pastry
