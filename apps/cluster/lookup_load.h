// Lookups of random keys at a given rate, sent to the nodes of a cluster from threads of its own,
// and judged afterwards against who was there.
//
// Who was there is known only within a margin: a node counts as certainly there for a lookup if it
// was known to run for some time before and until the answer came. Wrong is an answer that names a
// node which was known to be dead before the question, or farther from the key than one that was
// certainly there.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pastry/core/id.h"

namespace pastry::cluster {

struct LoadCounts {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;       // no answer although the asked node ran
  std::uint64_t source_died = 0;  // the asked node was stopped meanwhile
  std::uint64_t wrong_root = 0;
  std::string example;  // of a wrong one
  double p50_s = 0;
  double p99_s = 0;
};

class LookupLoad {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LookupLoad(std::uint64_t seed) : seed_(seed) {}
  ~LookupLoad();
  LookupLoad(const LookupLoad&) = delete;
  LookupLoad& operator=(const LookupLoad&) = delete;

  struct Source {
    std::string endpoint;  // of its process's control socket
    std::string id;
  };
  // Who runs now, in effect at once; those that are missing count as gone since now.
  void set_nodes(const std::vector<Source>& nodes);
  // Lookups per second; 0: none.
  void set_rate(double per_second);
  // Forgets the figures so far.
  void restart_counts();
  // Waits until every lookup that is under way is over (at most half a minute), then judges.
  LoadCounts counts();

 private:
  struct Life {  // of a node, known to run from … until
    Clock::time_point from;
    std::optional<Clock::time_point> until;
  };
  struct Answer {
    Id key;
    Id root;
    std::string source;
    Clock::time_point sent;
    Clock::time_point done;
    bool answered = false;
  };

  void work(std::size_t number);
  void look_up(std::mt19937_64& random, const Source& source, std::size_t count);
  bool ran(const std::string& id, Clock::time_point from, Clock::time_point until) const;
  std::string judge_root(const Answer& answer) const;

  std::uint64_t seed_;
  mutable std::mutex mutex_;
  bool stop_ = false;
  double rate_ = 0;
  std::size_t working_ = 0;
  Clock::time_point counted_from_{};
  std::vector<Source> sources_;
  std::map<std::string, std::vector<Life>> lives_;
  std::vector<Answer> answers_;
  std::vector<std::thread> threads_;
};

}  // namespace pastry::cluster
