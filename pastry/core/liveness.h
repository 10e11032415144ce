// Who is alive: probes, suspicion, death, and the leaf set's repair [MSPastry §3.1, §4.1].
//
// Leases between immediate neighbours are the heartbeats (leases.h): who leaves a request
// unanswered is probed. What a peer calls dead is probed, never removed on its word; what it calls
// a leaf is probed before it is inserted, and enters the leaf set only after this node reached it.
// A leaf that does not answer is asked over a third node before it is declared dead, and stays a
// member if it answers that way (relays.h).
//
// Parts: liveness.cc messages and views, probing.cc probes and their end, watch.cc silent
// neighbours, leaf_candidates.cc who may become a leaf, leaf_repair.cc death and what fills its
// place, relaying.cc links over a third node.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pastry/core/box.h"
#include "pastry/core/doubts.h"
#include "pastry/core/message.h"
#include "pastry/core/prefetch.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

class Liveness {
 public:
  // Any message of `from` arrived.
  void heard(NodeState& node, Step& step, Handle from);

  void receive(NodeState& node, Step& step, Handle from, const LeafProbe& probe);
  void receive(NodeState& node, Step& step, Handle from, const Ping& ping);
  void receive(NodeState& node, Step& step, Handle from, const Pong& pong);
  void receive(NodeState& node, Step& step, Handle from, const Leave& leave);
  // Passes a relayed message on, or says that it is for this node: then the enclosed message is to
  // be received from its source.
  bool receive(NodeState& node, Step& step, Handle from, const Relay& relay);

  // Probes `peer` with a leaf-set exchange if it may belong into the leaf set and is not known.
  void consider_leaf(NodeState& node, Step& step, Handle peer);
  void consider_leaves(NodeState& node, Step& step, std::span<const Handle> peers);
  // Pings `peer` to measure the distance; on the answer it is considered for R and M.
  void measure(NodeState& node, Step& step, Handle peer) { ping(node, step, peer, false); }
  // The same for Settling, which is told when the last such probe has ended.
  void measure_settling(NodeState& node, Step& step, Handle peer) { ping(node, step, peer, true); }
  std::size_t settling_probes() const { return probing_ ? probing_->settling : 0; }
  // It got its place, perhaps just now: what it left unanswered before counts for nothing.
  void probe_anew(Handle peer);
  // Those that go on are no concern of Settling any more.
  void release_settling();
  // Silent hop or lost connection: excluded from routing until it answers, probed now.
  void suspect(NodeState& node, Step& step, Handle peer);
  // Asks whether the peer lives, without excluding it.
  void check(NodeState& node, Step& step, Handle peer);
  // Sends a leaf-set probe that is answered with the peer's leaf set; repeated until answered.
  void exchange(NodeState& node, Step& step, Handle peer);
  // An immediate neighbour did not answer a request for a lease: counts as the first probe that it
  // left unanswered. The node behind it is told, so that both find out at the same time.
  void neighbour_silent(NodeState& node, Step& step, Handle peer);
  // `peer` takes this node for its immediate neighbour, wrongly: tells it who is near.
  void correct(NodeState& node, Step& step, Handle peer);
  // Whether another peer may be probed on somebody's word: such probes are bounded.
  bool has_room_for_probe() const;
  // What this node's leaf-set probes say.
  LeafProbe leaf_probe(const NodeState& node, Time now, bool reply, std::uint32_t token) const;
  // To all of the leaf set, unanswered: "I am active".
  void announce_leaf_set(NodeState& node, Step& step);

  // `beyond`: who comes next where a leaf leaves a place free, if that is known.
  void declare_dead(NodeState& node, Step& step, Handle peer, Handle beyond = kNoHandle);
  // A higher incarnation of the same id showed itself.
  void replace_older(NodeState& node, Step& step, Handle newer);
  // Looks for nodes on a side of the leaf set that is not full although the ring is larger: the
  // nearest known ones on that side are asked for theirs. Does nothing if the leaf set is complete.
  void fill_leaf_set(NodeState& node, Step& step);
  // `peer` left the tables: whatever went over it needs another way.
  void relay_lost(NodeState& node, Step& step, Handle peer);
  // The leaf set changed: whoever it holds no more passes nothing on for this node.
  void relays_pushed_out(NodeState& node, Step& step);

  bool suspected(Handle peer) const { return doubts_.suspected(peer); }
  const std::vector<Handle>& suspects() const { return doubts_.suspects(); }
  bool dead(NodeState& node, Time now, Handle peer) const;
  // Whether somebody who is no leaf, but would stand between this node and `peer` on that side, was
  // asked once and may still answer.
  bool tries_between(const NodeState& node, Handle peer, bool right) const;
  bool probing_leaves() const { return probing_ && probing_->leaves > 0; }
  bool probing(Handle peer) const;
  std::size_t probing_count() const { return probes().size(); }
  // Over whom messages to `peer` go; kNoHandle: straight.
  Handle via(Handle peer) const { return doubts_.via(peer); }
  // Known not to be active yet.
  bool inactive(Handle peer) const { return doubts_.inactive(peer); }
  void set_active(NodeState& node, Step& step, Handle peer, bool active);
  // Forgets who was not active yet when this node heard of it and is no concern of it any more:
  // such a peer does not report to everybody. And whom it saw dying long ago.
  void tidy(const NodeState& node, Time now);

  std::vector<Handle> failed(const NodeState& node, Time now) const;
  // Keeps `peer` among those that are tried now and then (reunion.cc).
  void remember_dead(NodeState& node, Time now, Handle peer, bool leaf);
  // Every dead peer still remembered.
  const std::vector<Doubts::Death>& remembered() const { return doubts_.dead(); }
  // As if nobody had been asked.
  void forget_probes() {
    probing_.reset();
    doubts_.forget_suspects();
  }
  // Somebody came back who had been declared dead.
  bool mistaken(Time since) const { return doubts_.any_returns(since); }
  // A dead peer that others name as alive was tried.
  void tried(Handle peer, Time now) { doubts_.set_tried(peer, now); }
  // The leases that a dead peer may have had are over.
  void set_leases_over(Handle peer) { doubts_.set_over(peer); }
  template <typename Predicate>
  void set_leases_over_if(Time died_after, Time died_before, Predicate&& predicate) {
    doubts_.set_over_if(died_after, died_before, predicate);
  }
  // Others may have granted it some since.
  template <typename Predicate>
  void forget_leases_over_if(Predicate&& predicate) {
    doubts_.clear_over_if(predicate);
  }
  bool leases_over(Handle peer) const;

  Time deadline() const;
  void advance(NodeState& node, Step& step);
  void mark_handles(Directory& directory) const;
  // Node::prefetch_tables and prefetch_details.
  void prefetch() const {
    prefetch_line(probing_.get());
    doubts_.prefetch();
  }
  void prefetch_details() const {
    const std::span<const Probe> present = probes();
    prefetch_lines(present.data(), present.size_bytes());
    doubts_.prefetch_details();
  }

 private:
  struct Probe {
    Handle peer = kNoHandle;
    std::uint32_t token = 0;
    std::uint32_t relay_token = 0;  // of the copies that go over others
    Time sent_at{};
    Time deadline{};
    std::uint8_t tries = 1;
    std::uint8_t relays_tried = 0;  // how often copies went over others
    bool leaf = false;              // LeafProbe, otherwise Ping
    bool spread = false;            // the leaf set is told of its silence
    bool reported = false;          // somebody else found it dead: less is asked for
    bool heard = false;             // something of it arrived since: that word counts no more
    bool relayed = false;   // the straight link is known not to work: over others from the start
    bool settling = false;  // Settling waits for it
    Handle beyond = kNoHandle;  // who would take its place among the leaves
  };
  struct Probing {
    std::vector<Probe> probes;
    std::uint32_t leaves = 0;    // LeafProbes among them
    std::uint32_t settling = 0;  // and those of Settling
    Time deadline = kNever;
  };

  std::span<const Probe> probes() const {
    return probing_ ? std::span<const Probe>(probing_->probes) : std::span<const Probe>();
  }
  std::span<Probe> probes() {
    return probing_ ? std::span<Probe>(probing_->probes) : std::span<Probe>();
  }
  // probing.cc
  void start_probe(NodeState& node, Step& step, Probe wanted);
  void ping(NodeState& node, Step& step, Handle peer, bool settling);
  void send_probe(NodeState& node, Step& step, Probe& probe);
  std::uint32_t next_token();
  unsigned tries_allowed(const NodeState& node, Time now, const Probe& probe) const;
  // The round trip if the token was that of an outstanding probe (or of a try of a link), otherwise
  // negative.
  Duration answered(NodeState& node, Step& step, Handle from, std::uint32_t token, bool active);
  void came_back(NodeState& node, Step& step, Handle peer);
  void probe_failed(NodeState& node, Step& step, const Probe& probe);
  void erase_probe(std::size_t index);
  void drop_probe(Handle peer);
  void check_probes(NodeState& node, Step& step);
  // Whether others are told that the peer may be dead, once it was silent.
  bool accuses(const NodeState& node, const Probe& probe) const;
  void accuse(NodeState& node, Step& step, Handle peer);
  void tell_doubts(NodeState& node, Step& step, const std::vector<Handle>& members);
  // A member or candidate whose probe went unanswered once and is repeated.
  bool silent(Handle peer) const;
  void first_silence(NodeState& node, Step& step, const std::vector<Handle>& peers);

  // leaf_candidates.cc
  bool among_nearest(const NodeState& node, const NodeId& id) const;
  void note_beyond(NodeState& node, Time now, const std::vector<Handle>& listed);
  void probe_unlisted(NodeState& node, Step& step, Handle from, const std::vector<Handle>& listed);

  // leaf_repair.cc
  void consider_nearer(NodeState& node, Step& step);
  bool fill_place(NodeState& node, Step& step, Handle beyond);
  void repair_leaf_set(NodeState& node, Step& step, bool was_left, bool was_right);

  // relaying.cc
  std::vector<Handle> choose_relays(const NodeState& node, Handle target, unsigned attempt) const;
  void send_over_others(NodeState& node, Step& step, Probe& probe);
  void learn_route(NodeState& node, Step& step, Handle peer, Handle via);
  void check_links(NodeState& node, Step& step);

  std::uint32_t last_token_ = 0;
  Box<Probing> probing_;  // only while it probes somebody
  Doubts doubts_;
};

}  // namespace pastry
