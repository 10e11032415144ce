// Lookups sent into a simulation while it changes, and what became of each: delivered by whom,
// after how long, twice, never.
//
// Judged from outside, against the nodes that are active at the moment of delivery. Memory is
// bounded by the lookups of the last two minutes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "pastry/sim/checkers.h"
#include "pastry/sim/distribution.h"
#include "pastry/sim/simulator.h"

namespace pastry::sim {

struct LookupCounts {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;    // in time
  std::uint64_t wrong_root = 0;   // by a node that was not the closest active one (replica lookups:
                                  // not one of the k closest)
  std::uint64_t twice = 0;        // delivered again although the first root is still there
  std::uint64_t repeated = 0;     // delivered again by another root after the first one ended: its
                                  // acknowledgement ended with it, so nobody could know (replica
                                  // lookups: by another one, since any of the k may answer)
  std::uint64_t lost = 0;         // not delivered within the patience although the source lived
  std::uint64_t late = 0;         // of the lost ones, delivered afterwards
  std::uint64_t source_died = 0;  // neither delivered nor lost
  std::uint64_t refused = 0;      // route() failed

  std::uint64_t incorrect() const { return wrong_root + twice; }
};

// From one lookup to the next at so many per second; at least 1 ns and at most about 12 days.
Duration lookup_gap(double per_second);

class LookupLog final : public Application {
 public:
  struct Options {
    LookupKind kind = LookupKind::consistent;
    int replicas = 1;
    // A lookup that is not delivered for this long is lost; at most a minute.
    Duration patience = minutes(1);
    // Above 0: also the hops to the first node of the path that is one of the so many active nodes
    // closest to the key, the source included.
    int first_of = 0;
  };

  explicit LookupLog(const Options& options);
  LookupLog() : LookupLog(Options{}) {}

  // The options of a simulation that gives every node this application, which must outlive it,
  // before those that it gave already; upcalls are not traced.
  SimulatorOptions installed(SimulatorOptions options);
  // Which simulator it watches, before anything else.
  void attach(Simulator& simulator) { simulator_ = &simulator; }

  static constexpr ApplicationId kId = application_id("sim.lookups");

  // Sends a lookup of `key` from a node that is up.
  void send(NodeIndex source, const Key& key);
  // The same for a random key from a random active node; nothing if no node is active.
  void send_random();
  // Judges the lookups whose time is up; call now and then.
  void judge();
  // Lookups from now on are of this kind, of k = `replicas`; none may be under way.
  void use(LookupKind kind, int replicas);
  // Of lookups that are not judged yet; at most a minute.
  void set_patience(Duration patience) { options_.patience = patience; }
  // Whether every lookup sent so far is delivered or judged.
  bool settled() const { return open_ == 0; }

  // Forgets the figures so far; lookups that are under way are not counted afterwards.
  void restart_counts();

  const LookupCounts& counts() const { return counts_; }
  // Seconds from route() to the delivery.
  const Distribution& latency() const { return latency_; }
  double hops_mean() const;
  // To the first of the closest (Options::first_of); of the lookups that reached one.
  double hops_to_first_mean() const;
  std::uint64_t reached_first() const { return first_count_; }
  // How many of the closest nodes are nearer to the source than the one reached first: index =
  // nearer ones.
  const std::vector<std::uint64_t>& ranks() const { return ranks_; }
  // One-way delay from the source to the one reached first over that to the nearest, both summed.
  double first_detour() const { return nearest_ > 0 ? reached_ / nearest_ : 0; }
  // Route delay over direct delay, of lookups that do not end where they start: the sum of all over
  // the sum of all, and the single ratios.
  double stretch_total() const { return direct_ > 0 ? routed_ / direct_ : 0; }
  const Distribution& stretch() const { return stretch_; }
  // The first few wrong, doubled and lost lookups, described.
  const Findings& findings() const { return findings_; }

  ForwardDecision forward(Context context, ForwardedMessage& message) override;
  void deliver(Context context, const Delivery& message) override;

 private:
  struct Lookup {
    Time sent;
    Key key;
    std::uint64_t life = 0;  // of the source
    NodeIndex source = kNoNode;
    NodeIndex root = kNoNode;  // that delivered it first
    std::uint64_t root_life = 0;
    bool delivered = false;
    bool judged = false;
    bool lost = false;
    bool counted = true;
    bool reached_first = false;
    LookupKind kind = LookupKind::consistent;
  };

  std::uint64_t life(NodeIndex node) const;
  // The lookup that a payload names, or null if it is not remembered.
  Lookup* find(const Payload& payload);
  void judge(Lookup& lookup);
  void judge_root(const Lookup& lookup, NodeIndex root);
  void measure(const Lookup& lookup, NodeIndex root, const Delivery& message, Time now);
  void rank(const Lookup& lookup, NodeIndex reached);
  std::string describe(const Lookup& lookup) const;

  Simulator* simulator_ = nullptr;
  Options options_;
  std::deque<Lookup> lookups_;
  std::uint64_t first_ = 0;  // number of lookups_.front()
  std::uint64_t next_judged_ = 0;
  std::uint64_t open_ = 0;
  LookupCounts counts_;
  Distribution latency_;
  Distribution stretch_;
  std::uint64_t hops_ = 0;
  double routed_ = 0;
  double direct_ = 0;
  std::uint64_t first_count_ = 0;
  std::uint64_t first_hops_ = 0;
  std::vector<std::uint64_t> ranks_;
  double reached_ = 0;
  double nearest_ = 0;
  Findings findings_;
};

}  // namespace pastry::sim
