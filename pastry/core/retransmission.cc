// The forwarder's part for hops that stay silent: timeouts, detours, and what is forgotten.
#include <algorithm>

#include "pastry/core/forwarder.h"
#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

constexpr std::size_t kAvoidMax = 8;
// So often a message is sent to the root that it was for at first, where a newcomer is the root
// now.
constexpr std::uint8_t kFormerRootTries = 3;
// Lateness of a timer by which a node knows that its process did not run.
constexpr Duration kHeldUp = milliseconds(10);
// At most so long is kept what is known of a hop for the sake of probing it.
constexpr Duration kHopKept = std::chrono::minutes(5);

void avoid(RouteHeader& header, Handle peer) {
  auto& list = header.avoid;
  if (std::find(list.begin(), list.end(), peer) != list.end()) return;
  if (list.size() == kAvoidMax) list.erase(list.begin());
  list.push_back(peer);
}

}  // namespace

Time Forwarder::deadline() const {
  if (!traffic_) return kNever;
  return std::min({traffic_->retransmit_at, traffic_->seen_rotates, traffic_->sweep_at,
                   traffic_->kept_until, traffic_->retry_kept_at, traffic_->ask_held_at});
}

void Forwarder::advance(NodeState& node, Step& step) {
  if (!traffic_) return;
  if (traffic_->retransmit_at <= step.now) check_timeouts(node, step);
  if (traffic_->seen_rotates <= step.now) {
    Traffic& t = *traffic_;
    t.seen_before = std::exchange(t.seen, {});
    t.seen_rotates = t.seen_before.empty() ? kNever : step.now + node.config->duplicate_memory;
  }
  if (std::min(traffic_->kept_until, traffic_->retry_kept_at) <= step.now) check_kept(node, step);
  if (traffic_->ask_held_at <= step.now) ask_held(node, step);
  if (traffic_->sweep_at <= step.now) sweep(node, step);
}

void Forwarder::check_timeouts(NodeState& node, Step& step) {
  Traffic& t = *traffic_;
  // Whoever looks this late was held up, and the acknowledgements may be here, unread.
  if (!t.excused && step.now - t.retransmit_at > kHeldUp) {
    t.excused = true;
    t.retransmit_at = step.now + kHeldUp;
    return;
  }
  t.excused = false;
  t.retransmit_at = kNever;
  std::vector<std::uint32_t> peers;
  for (const auto& [peer, hop] : t.hops) {
    if (hop.head < hop.waiting.size()) peers.push_back(peer);
  }
  std::sort(peers.begin(), peers.end());  // the order reaches the outbox
  std::vector<std::pair<Handle, Unacknowledged>> late;
  Time earliest = kNever;
  for (const std::uint32_t peer : peers) {
    Hop& hop = t.hops[peer];
    for (std::size_t i = hop.head; i < hop.waiting.size(); ++i) {
      Unacknowledged& entry = hop.waiting[i];
      if (entry.acknowledged) continue;
      if (entry.deadline > step.now) {
        earliest = std::min(earliest, entry.deadline);
        continue;
      }
      if (entry.sent_at >= hop.backed_off_at) {
        hop.backoff = std::min<std::uint8_t>(hop.backoff + 1, kBackoffMax);
        hop.backed_off_at = step.now;
      }
      late.emplace_back(Handle{peer}, entry);
      entry.acknowledged = true;
      entry.message = {};
      --t.waiting;
    }
    trim(hop);  // who never acknowledges again must not keep them
  }
  t.retransmit_at = std::min(t.retransmit_at, earliest);
  for (auto& [peer, entry] : late) {
    node.liveness.suspect(node, step, peer);
    retransmit(node, step, peer, std::move(entry));
  }
}

void Forwarder::retransmit(NodeState& node, Step& step, Handle peer, Unacknowledged&& entry) {
  RouteHeader& header = entry.message.header;
  if (header.witnessed) return;  // the message itself is held here
  // Applications saw this message on its first attempt: only the hop is chosen again.
  const auto wait = [&] {
    call_witness(node, step, peer, entry.message);
    keep(node, step, {std::move(entry.message), peer, kNoHandle, entry.held_until, true});
  };
  const bool leaf = node.tables.leaf_set.contains(peer);
  if (entry.attempts >= node.config->hop_attempts) {
    // A root that is only suspected still is the root: a pause, until it is dead or answers.
    if (leaf) return wait();
    note(*node.config, Mark::hop_attempts_used_up);
    return give_up(node, step, header, "no hop answered");
  }
  note(*node.config, leaf ? Mark::last_hop_repeated : Mark::hop_repeated);
  ++node.counters.retransmitted;
  count_reroute(header);
  if (!leaf) avoid(header, peer);
  if (node.joiner) return wait();
  Handle next = choose_next(node, entry.message, kNoHandle);
  if (next != peer && may_have_delivered(node, peer, entry)) {
    note(*node.config, Mark::former_root_tried);
    next = peer;
  }
  if (must_wait(node, step, entry.message, next)) {
    wait();
  } else if (next == node.self) {
    deliver(node, step, std::move(entry.message), peer);
  } else {
    if (next != peer) note(*node.config, Mark::alternative_hop_taken);
    if (PASTRY_BUG(detour_loses_payload) && next != peer) entry.message.payload = {};
    send_hop(node, step, next, std::move(entry.message), entry.attempts, entry.held_until);
  }
}

// Within the leaf set a message went to its root. If that one has admitted a newcomer since, who is
// the root now, it may have delivered the message before, and lost is the acknowledgement: it knows
// what it delivered, and sends on the rest.
bool Forwarder::may_have_delivered(const NodeState& node, Handle peer,
                                   const Unacknowledged& entry) {
  const RouteHeader& header = entry.message.header;
  const LeafSet& leaves = node.tables.leaf_set;
  return header.kind == LookupKind::consistent && entry.attempts < kFormerRootTries &&
         leaves.contains(peer) && leaves.covers(header.key);
}

void Forwarder::count_reroute(RouteHeader& header) {
  if (header.reroutes < 255) ++header.reroutes;
}

void Forwarder::peer_gone(NodeState& node, Step& step, Handle peer) {
  if (!traffic_) return;
  std::vector<Unacknowledged> orphans = take_held(peer);
  const auto found = traffic_->hops.find(index(peer));
  if (found != traffic_->hops.end()) {
    for (std::size_t i = found->second.head; i < found->second.waiting.size(); ++i) {
      if (found->second.waiting[i].acknowledged) continue;
      orphans.push_back(std::move(found->second.waiting[i]));
      --traffic_->waiting;
    }
    std::erase(traffic_->owed, peer);
    traffic_->hops.erase(found);
  }
  if (!orphans.empty()) note(*node.config, Mark::messages_of_dead_rerouted);
  for (Unacknowledged& orphan : orphans) {
    orphan.attempts = 1;  // the others were the dead one's: whoever comes next gets its own
    retransmit(node, step, peer, std::move(orphan));
  }
}

void Forwarder::release_kept(NodeState&, Step& step) {
  if (!traffic_) return;
  traffic_->kept_until = kNever;
  traffic_->retry_kept_at = kNever;
  for (LocalRoute& kept : std::exchange(traffic_->kept, {})) {
    step.work.emplace_back(std::move(kept));
  }
}

void Forwarder::sweep(NodeState& node, Step& step) {
  Traffic& t = *traffic_;
  // What was acknowledged spares a probe for as long as T_rt, where failures make that short.
  const Duration kept =
      std::max(kHopIdle, std::min(node.upkeep.probe_period(*node.config), kHopKept));
  std::erase_if(t.hops, [&](const auto& entry) {
    const Hop& hop = entry.second;
    const Time last =
        std::max(hop.used_at + kHopIdle,
                 hop.acknowledged_at == Time::min() ? Time::min() : hop.acknowledged_at + kept);
    return hop.waiting.empty() && hop.acks.empty() && hop.holds.empty() && step.now >= last;
  });
  t.sweep_at = t.hops.empty() ? kNever : step.now + kHopIdle;
  const bool idle = t.hops.empty() && t.owed.empty() && t.kept.empty() && t.held.empty() &&
                    t.seen.empty() && t.seen_before.empty();
  if (idle) traffic_.reset();
}

}  // namespace pastry
