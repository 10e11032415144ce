// How often an entry of the routing table is probed: as rarely as the failures that are seen allow.
//
// Source: [MSPastry §4.1]. A message is lost on its first way if a node of it failed and its
// predecessor does not know yet. With failures at a rate µ per node and a node's death noticed
// after T at the latest, a node is dead and not known to be with probability
//   Pf(T, µ) = 1 − (1 − e^(−Tµ)) / (Tµ)
// The last of h hops goes to a leaf, whose death is noticed after T_ls + (r + 1)·T_out, the others
// to entries of the routing table:
//   L = 1 − (1 − Pf(T_ls + (r+1)·T_out, µ)) · (1 − Pf(T_rt + (r+1)·T_out, µ))^(h−1)
//   h = (2^b − 1) / 2^b · log_2^b N
// T_rt is chosen such that L meets a target. N comes from the density of the leaf set, µ from the
// last failures seen, and the median of what the neighbours came to is used.
//
// Pure: no clock, no state but what stands here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/directory.h"
#include "pastry/core/timestamp.h"

namespace pastry {

// Pf; `period_s` >= 0, `failure_rate` per node and second, >= 0.
double failed_unnoticed(double period_s, double failure_rate);
// h; at least 1.
double hops_expected(double nodes, int digit_bits);
// L for a given T_rt.
double raw_loss(const Config& config, double nodes, double failure_rate, Duration probe_period);
// The T_rt at which raw_loss() is Config::table_loss_percent; within (r + 1)·T_out and
// Config::table_probe_period_max. Whole milliseconds.
Duration tuned_probe_period(const Config& config, double nodes, double failure_rate);
// N if the ids of neighbours are `spacing` apart on average.
double nodes_estimated(const Id& spacing);

// The last failures that a node saw.
class FailureHistory {
 public:
  static constexpr std::size_t kRemembered = 16;  // K

  void note(Time now);
  // Per node and second: of `peers` known ones, seen since `since`. As long as fewer than K
  // failures were seen one is counted as happening now, so that a node that just came is not taken
  // in.
  double rate(Time now, Time since, std::size_t peers) const;

 private:
  std::array<Time, kRemembered> times_{};  // a ring, the oldest at next_ once it is full
  std::uint8_t count_ = 0;
  std::uint8_t next_ = 0;
};

// T_rt of one node. Exists only while failures are seen, here or by neighbours.
class ProbeTuner {
 public:
  explicit ProbeTuner(Duration max) : own_(max) {}

  // A neighbour's own value; zero: it saw no failures, which counts as the longest period. Of each
  // neighbour the last one counts, within the bounds of what this node itself might come to.
  void heard(const Config& config, Handle from, Duration period);
  void failed(Time now) { history_.note(now); }
  // Computes the own value anew.
  void update(const Config& config, Time now, Time since, std::size_t peers, const Id& spacing);
  Duration own() const { return own_; }
  // The median of the own value and those heard.
  Duration period() const;
  // Nothing but the longest period was seen or heard for a while.
  bool calm(Duration max) const;

  // Proof of life other than acknowledged traffic: the peer pinged this node, or sent it rows.
  void seen_alive(Handle peer, Time now, Duration within);
  bool alive_since(Handle peer, Time since) const;
  void mark_handles(Directory& directory) const;

 private:
  struct Heard {
    Handle from;
    Duration period;
  };
  struct Seen {
    Handle peer;
    Time at;
  };

  FailureHistory history_;
  Duration own_;
  std::vector<Heard> heard_;  // of different neighbours; the next one to make room
  std::size_t next_heard_ = 0;
  std::vector<Seen> seen_;
};

}  // namespace pastry
