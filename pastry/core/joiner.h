// The joining side: from the first request to activity [Pastry §2.4; protocol in docs/routing.md].
//
// seeking: JOIN requests go to one seed after another, with back-off on silence.
// admitted: the gap's owner granted the place; leaf candidates are probed. When no probe is
// outstanding the node is active. If that does not come in time it gives the place up and seeks
// again.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "pastry/core/message.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

class Joiner {
 public:
  Joiner(NodeState& node, Time now, bool remembered);

  void add_seeds(NodeState& node, std::span<const Handle> seeds);
  void attempt(NodeState& node, Step& step);
  void receive(NodeState& node, Step& step, Handle from, JoinGrant&& grant);
  void receive(NodeState& node, Step& step, Handle from, const JoinRefused& refused);
  // A peer said that it is not active itself.
  void saw_inactive(NodeState& node, Time now, Handle peer);
  // A peer said that it is active: a joiner that was a member before asks it next.
  void saw_active(NodeState& node, Time now, Handle peer);

  bool admitted() const { return admitted_; }
  // Owner and successor of the gap and the batch, for the report.
  Handle owner() const { return owner_; }
  Handle successor() const { return successor_; }
  std::uint32_t batch() const { return batch_; }
  // Over whom to look for a ring that is not the one that was joined: the first seed that
  // answered, was not the one asked last, and is no leaf; else the first one; kNoHandle if there is
  // none.
  Handle bootstrap(const NodeState& node) const;
  // The batch, the owner and the successor, as far as they are not known to be dead: among them are
  // the neighbours of this node.
  const std::vector<Handle>& expected() const { return expected_; }
  bool in_batch(Handle peer) const;
  void peer_gone(Handle peer);
  // Of a node that was a member before: seeds that answered and are no leaves. Some may be of
  // another ring than the one that was joined. None for others.
  std::vector<Handle> other_seeds(const NodeState& node) const;

  // Whether further peers than `asked` of those that a seed named are worth a message.
  bool has_seeds_enough(std::size_t asked) const;

  Time deadline() const { return retry_at_; }
  void advance(NodeState& node, Step& step);
  void mark_handles(Directory& directory) const;

 private:
  bool learn_seed(NodeState& node, Handle seed);
  void note_answer(Handle peer);
  Duration grace(const NodeState& node) const;
  bool should_found(const NodeState& node, Time now) const;
  void found_again(NodeState& node, Step& step);
  void give_up_place(NodeState& node, Step& step);

  std::vector<Handle> seeds_;
  // Answered that they are not active, and when they did so last.
  std::vector<std::pair<Handle, Time>> inactive_peers_;
  std::vector<Handle> answered_;
  std::vector<Handle> expected_;
  std::vector<Handle> batch_members_;
  std::size_t next_seed_ = 0;
  Handle active_seed_ = kNoHandle;
  Time active_seen_ = Time::min();  // an active peer was heard last
  Handle asked_ = kNoHandle;        // the seed of the last attempt
  Handle owner_ = kNoHandle;
  Handle successor_ = kNoHandle;
  std::uint32_t batch_ = 0;
  std::uint32_t attempt_ = 0;
  std::uint32_t given_up_ = 0;  // the last attempt of which the place was given up
  bool remembered_;
  bool admitted_ = false;
  Duration backoff_;
  Time started_;
  Time retry_at_;
};

}  // namespace pastry
