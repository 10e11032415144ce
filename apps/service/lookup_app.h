// The application behind `pastry lookup`, `trace`, `ring` and `status`: who is the root of a key,
// how does a message get there, and what do all nodes say about themselves.
//
// Every node asks over the overlay itself, no node knows the ring: a census starts from the node's
// own tables and routes a question to each id it hears of, until no new id turns up. Messages can
// be lost with the node that holds them, so every question is repeated until its deadline.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "apps/service/lookup_codec.h"
#include "pastry/core/application.h"
#include "pastry/core/node.h"

namespace pastry::service {

template <typename T>
using Callback = std::function<void(Context, Result<T>)>;

struct LookupResult {
  Key key;
  NodeId root;
  std::string endpoint;
  int hops = 0;
};

struct Census {
  std::map<NodeId, NodeReport> nodes;
  std::vector<NodeId> unreachable;  // named by somebody, but silent
  bool truncated = false;           // more nodes than kCensusMax
};

inline constexpr std::size_t kCensusMax = 4096;

class LookupApplication : public Application {
 public:
  // `node` is the one it is registered on; must outlive this.
  explicit LookupApplication(const Node& node) : node_(&node) {}

  // Each calls `done` exactly once. Errors: timed_out, unavailable (the node is not active), full.
  void lookup(Context context, const Key& key, Duration deadline, Callback<LookupResult> done);
  void trace(Context context, const Key& key, Duration deadline,
             Callback<std::vector<TraceHop>> done);
  void census(Context context, Duration deadline, Callback<Census> done);

  // Whether no answer is waited for. An idle one takes no memory beside this object.
  bool idle() const { return running_ == nullptr; }

  NodeReport report(Context context, const Key& asked) const;

  // --- Upcalls ---
  ForwardDecision forward(Context context, ForwardedMessage& message) override;
  void deliver(Context context, const Delivery& message) override;
  void route_outcome(Context context, OperationId operation, const RouteOutcome& outcome) override;
  void receive(Context context, const Incoming& message) override;
  void timer(Context context, std::uint64_t cookie) override;

 protected:
  // Fills in what this node knows beside the overlay.
  virtual void add_statistics(NodeStatistics& statistics, Time now) const {
    (void)statistics;
    (void)now;
  }

 private:
  struct Lookup {
    Key key;
    Time deadline;
    Callback<LookupResult> done;
  };
  struct Trace {
    Key key;
    Time deadline;
    Callback<std::vector<TraceHop>> done;
  };
  struct Question {
    Time asked;
    Time repeat_at;
    int attempts = 0;
  };
  struct CensusRun {
    Time deadline;
    Callback<Census> done;
    Census result;
    std::set<NodeId> heard;              // every id ever named
    std::vector<NodeId> waiting;         // not asked yet
    std::map<NodeId, Question> pending;  // asked
  };

  // What it waits for.
  struct Running {
    std::map<OperationId, Lookup> lookups;
    std::map<std::uint64_t, Trace> traces;
    std::map<std::uint64_t, CensusRun> censuses;
    bool empty() const { return lookups.empty() && traces.empty() && censuses.empty(); }
  };
  // The first thing in whatever may begin or end a wait, so that it is the last to go: callbacks
  // may begin others.
  struct Tidy {
    LookupApplication& application;
    ~Tidy() {
      auto& running = application.running_;
      if (running && running->empty()) running.reset();
    }
  };

  Running& running();
  void start_lookup(Context context, Lookup lookup);
  void send_trace(Context context, std::uint64_t call, const Trace& trace);
  void hear(CensusRun& run, const NodeReport& report);
  void ask_more(Context context, std::uint64_t call, CensusRun& run);
  void ask(Context context, std::uint64_t call, CensusRun& run, const NodeId& id);
  void repeat_questions(Context context, std::uint64_t call, CensusRun& run);
  void finish_census(Context context, std::uint64_t call);

  const Node* node_;
  std::uint64_t last_call_ = 0;
  std::unique_ptr<Running> running_;  // null when idle
};

}  // namespace pastry::service
