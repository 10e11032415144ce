#include "pastry/core/joiner.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {
constexpr std::size_t kSeedsMax = 256;
constexpr std::size_t kOtherSeedsMax = 8;
// Times the patience of who may found a ring again, for each member with a smaller id.
constexpr std::int64_t kPatiencePerSmaller = 6;

}  // namespace

Joiner::Joiner(NodeState& node, Time now, bool remembered)
    : remembered_(remembered),
      backoff_(node.config->join_retry_min),
      started_(now),
      retry_at_(now) {}

void Joiner::add_seeds(NodeState& node, std::span<const Handle> seeds) {
  for (const Handle seed : seeds) {
    // Somebody new to ask: no need to sit out a long back-off.
    if (learn_seed(node, seed) && !admitted_ && attempt_ > 0) retry_at_ = started_;
  }
}

bool Joiner::learn_seed(NodeState& node, Handle seed) {
  if (seed == node.self || node.id(seed) == node.self_id() || holds(seeds_, seed)) return false;
  if (seeds_.size() == kSeedsMax) return false;
  // An older incarnation of the same peer is gone, whichever of the two was named first.
  const auto incarnation = [&](Handle peer) { return node.directory->incarnation(peer); };
  for (const Handle known : seeds_) {
    if (node.id(known) == node.id(seed) && incarnation(known) > incarnation(seed)) return false;
  }
  std::erase_if(seeds_, [&](Handle known) { return node.id(known) == node.id(seed); });
  seeds_.push_back(seed);
  return true;
}

void Joiner::attempt(NodeState& node, Step& step) {
  ++attempt_;
  if (should_found(node, step.now)) return found_again(node, step);  // ends this object
  if (remembered_) {
    // Until it is clear whether the others live, one round of probes follows the other: the first
    // ones may be lost while the processes still make each other's acquaintance.
    const Duration pause = std::max((step.now - started_) / 8, node.config->probe_timeout);
    backoff_ = std::min(pause, node.config->join_retry_max);
  }
  retry_at_ = step.now + node.random.jittered(backoff_, 50);
  backoff_ = std::min(backoff_ * 2, node.config->join_retry_max);
  if (PASTRY_BUG(join_without_backoff)) retry_at_ = step.now + milliseconds(1);
  if (PASTRY_BUG(join_never_repeated)) retry_at_ = kNever;
  if (seeds_.empty()) return;
  if (remembered_) {
    // Who answers, and whether anybody is active, decides who founds the ring again.
    note(*node.config, Mark::remembered_peers_asked);
    for (const Handle seed : seeds_) node.send(step, seed, Ping{0});
  }
  // The first that answers is always the same one, and its way to the gap may be blocked.
  const bool in_turn = active_seed_ == kNoHandle || attempt_ % 3 == 0;
  const Handle seed = in_turn ? seeds_[next_seed_++ % seeds_.size()] : active_seed_;
  active_seed_ = kNoHandle;
  asked_ = seed;
  node.send(step, seed, JoinRequest{node.self, attempt_, 0, {}});
  // Where the seeds do not help others are needed: whom the seed knows is pinged and, if it lives,
  // is a seed too.
  if (remembered_ || attempt_ > 1) node.send(step, seed, NeighbourhoodRequest{});
}

// Long enough for a probe and all its retries, and for the others to come up.
Duration Joiner::grace(const NodeState& node) const {
  return node.config->probe_timeout * (node.config->probe_retries + 2);
}

// Of the members that are up and not active the one with the smallest id founds the ring again.
// Silence proves less than an answer: who heard nobody waits twice as long. Those with smaller ids
// may be newcomers, who never found: each is waited for so much longer, not for ever.
bool Joiner::should_found(const NodeState& node, Time now) const {
  if (!remembered_ || admitted_ || active_seed_ != kNoHandle) return false;
  const Duration patience = grace(node);
  // The answers to the last round may still be on their way.
  if (active_seen_ != Time::min() && now - active_seen_ < patience) return false;
  if (now - started_ < (inactive_peers_.empty() ? patience * 2 : patience)) return false;
  const auto smaller =
      std::count_if(inactive_peers_.begin(), inactive_peers_.end(), [&](const auto& seen) {
        return now - seen.second < patience && node.id(seen.first) < node.self_id();
      });
  return now - started_ >= patience * (smaller * kPatiencePerSmaller);
}

// Whoever was not heard may have founded a ring of its own: they are tried again like those that
// died long ago, so that the rings become one.
void Joiner::found_again(NodeState& node, Step& step) {
  note(*node.config, Mark::ring_founded_again);
  const Time long_ago = step.now - node.config->failed_memory;
  for (const Handle seed : seeds_) node.liveness.remember_dead(node, long_ago, seed, true);
  node.activate(step);
}

void Joiner::note_answer(Handle peer) {
  if (answered_.size() < kSeedsMax && !holds(answered_, peer)) answered_.push_back(peer);
}

std::vector<Handle> Joiner::other_seeds(const NodeState& node) const {
  std::vector<Handle> others;
  for (const Handle seed : seeds_) {
    if (!remembered_ || others.size() == kOtherSeedsMax) break;
    if (holds(answered_, seed) && !node.tables.leaf_set.contains(seed)) others.push_back(seed);
  }
  return others;
}

bool Joiner::has_seeds_enough(std::size_t asked) const {
  return (admitted_ || active_seed_ != kNoHandle) && asked >= kOtherSeedsMax;
}

// Rings that were founded side by side, when all had been down, find each other over those who
// answered from one and came into the other. The seed that was asked is in the same ring, even if
// too far away for the leaf set.
Handle Joiner::bootstrap(const NodeState& node) const {
  const auto found = std::find_if(seeds_.begin(), seeds_.end(), [&](Handle seed) {
    return seed != asked_ && holds(answered_, seed) && !node.tables.leaf_set.contains(seed);
  });
  if (found != seeds_.end()) return *found;
  return seeds_.empty() ? kNoHandle : seeds_.front();
}

void Joiner::saw_inactive(NodeState& node, Time now, Handle peer) {
  note_answer(peer);
  if (admitted_) return;
  const auto known = std::find_if(inactive_peers_.begin(), inactive_peers_.end(),
                                  [peer](const auto& seen) { return seen.first == peer; });
  if (known != inactive_peers_.end()) {
    known->second = now;
    return;
  }
  if (inactive_peers_.size() == kSeedsMax) return;
  inactive_peers_.emplace_back(peer, now);
  note(*node.config, Mark::inactive_seed_found);
  learn_seed(node, peer);
}

void Joiner::saw_active(NodeState& node, Time now, Handle peer) {
  note_answer(peer);
  active_seen_ = now;
  if (admitted_) return;
  learn_seed(node, peer);
  // Only who cannot know whether its seeds live turns at once to the first that does: everybody
  // else waits for an answer that is on its way, or in the queue of a gap.
  if (!remembered_ || active_seed_ != kNoHandle) return;
  active_seed_ = peer;
  note(*node.config, Mark::active_seed_found);
  retry_at_ = std::min(retry_at_, now + node.random.jittered(node.config->join_retry_min / 2, 50));
}

bool Joiner::in_batch(Handle peer) const { return admitted_ && holds(batch_members_, peer); }

void Joiner::peer_gone(Handle peer) {
  std::erase(expected_, peer);
  std::erase(batch_members_, peer);
}

void Joiner::receive(NodeState& node, Step& step, Handle from, JoinGrant&& grant) {
  // An answer to an earlier attempt is as good: the owner holds the place for us, unless we gave it
  // up since.
  if (admitted_ || grant.attempt > attempt_ || grant.attempt <= given_up_) return;
  if (!holds(grant.batch_joiners, node.self)) return;
  admitted_ = true;
  owner_ = from;
  // The owner may have this node as its successor already: then it repeats an earlier grant.
  successor_ = grant.successor == node.self ? kNoHandle : grant.successor;
  batch_ = grant.batch;
  retry_at_ = step.now + node.config->gap_expiry;
  batch_members_ = grant.batch_joiners;
  // Nor an earlier incarnation of this node.
  std::erase_if(batch_members_, [&](Handle peer) { return node.id(peer) == node.self_id(); });
  expected_ = batch_members_;
  expected_.push_back(from);
  if (successor_ != kNoHandle && successor_ != from) expected_.push_back(successor_);
  node.leases.neighbours_changed(node, step);
  std::vector<Handle> candidates = std::move(grant.leaf_set);
  candidates.insert(candidates.end(), grant.batch_joiners.begin(), grant.batch_joiners.end());
  candidates.push_back(from);
  if (successor_ != kNoHandle) candidates.push_back(successor_);
  node.liveness.consider_leaves(node, step, candidates);
  node.upkeep.keep_rows(node, grant.rows);
  if (PASTRY_BUG(activation_before_probes)) return node.activate(step);
  node.activate_if_ready(step);
}

void Joiner::receive(NodeState& node, Step& step, Handle from, const JoinRefused& refused) {
  if (admitted_ || refused.attempt != attempt_) return;
  note(*node.config, Mark::join_refusal_heard);
  saw_inactive(node, step.now, from);
  const Duration wait =
      std::clamp(refused.retry_after, node.config->join_retry_min / 4, node.config->join_retry_max);
  retry_at_ = std::min(retry_at_, step.now + node.random.jittered(wait, 50));
  if (PASTRY_BUG(refusal_hurries)) retry_at_ = step.now;
}

// The place is held but activity does not come. Where two rings meet in the middle of their joins,
// joiners of different batches become neighbours: none may grant the other a lease, and both keep
// the active nodes beside them from theirs. So a joiner does not hold a place for ever that it
// cannot take.
void Joiner::give_up_place(NodeState& node, Step& step) {
  const Leave farewell{node.tables.leaf_set.members(), true};
  std::vector<Handle> told = farewell.leaf_set;
  for (const Handle peer : expected_) {
    if (!holds(told, peer)) told.push_back(peer);
  }
  for (const Handle peer : told) {
    node.send(step, peer, Leave(farewell));
    learn_seed(node, peer);
  }
  given_up_ = attempt_;
  admitted_ = false;
  node.tables.leaf_set.clear();
  // Without a place no answer counts, and silence must not either.
  node.liveness.forget_probes();
  node.forwarder.hand_back(node);
  node.gap.reset();  // who waits for it asks again
  node.leases.neighbours_changed(node, step);
}

void Joiner::advance(NodeState& node, Step& step) {
  if (admitted_) {
    // There is an active ring: not the time to found another.
    give_up_place(node, step);
    started_ = step.now;
    node.emit(step, JoinFailed{"admitted, but not active in time"});
    note(*node.config, Mark::join_admitted_not_active);
  } else if (attempt_ > 0) {
    note(*node.config, Mark::join_repeated);
    node.emit(step, JoinFailed{seeds_.empty() ? "no seed to ask" : "no grant from the seed"});
  }
  attempt(node, step);
}

void Joiner::mark_handles(Directory& directory) const {
  for (const Handle seed : seeds_) directory.mark(seed);
  for (const auto& [peer, seen] : inactive_peers_) directory.mark(peer);
  for (const Handle peer : expected_) directory.mark(peer);
  for (const Handle peer : answered_) directory.mark(peer);
  for (const Handle peer : {active_seed_, asked_, owner_, successor_}) {
    if (peer != kNoHandle) directory.mark(peer);
  }
}

}  // namespace pastry
