// Counts how often nodes lose a living member of their leaf set and take it back: what gray links
// and false suspicions do to membership.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "pastry/sim/simulator.h"

namespace pastry::sim {

class FlipCounter final : public Application {
 public:
  // Which simulator it watches, before anything else; that one must give every node this
  // application under kId.
  void attach(Simulator& simulator) { simulator_ = &simulator; }

  static constexpr ApplicationId kId = application_id("sim.flips");

  // The most flips of any pair (observer, member) since restart_counts(), and of all pairs.
  std::uint64_t most() const;
  std::uint64_t total() const;
  void restart_counts() { flips_.clear(); }

  void deliver(Context, const Delivery&) override {}
  void update(Context context, Handle node, PeerChange change) override;

 private:
  using Pair = std::pair<NodeIndex, NodeIndex>;

  Simulator* simulator_ = nullptr;
  std::set<Pair> lost_;  // members that were alive when they went
  std::map<Pair, std::uint64_t> flips_;
};

}  // namespace pastry::sim
