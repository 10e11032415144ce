// What applications wait for: timers, outcomes of routes, answers to requests.
//
// Allocated when the first one is made and freed when the last one ended, so that an idle node pays
// nothing for it.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "pastry/core/application.h"
#include "pastry/core/box.h"
#include "pastry/core/step.h"

namespace pastry {

struct NodeState;

class Operations {
 public:
  enum class Kind : unsigned char { route, request };

  struct Pending {
    OperationId id = 0;
    ApplicationId application{};
    Kind kind = Kind::route;
    Handle peer = kNoHandle;  // of a request
    Time deadline{};
  };

  OperationId next_id() { return ++last_id_; }

  // False if `pending_max` operations wait already.
  bool add(const Pending& pending, std::size_t pending_max);
  // Ends the operation whose id has these low 32 bits; nothing if it ended before.
  bool take(std::uint32_t id_low, Pending& pending);
  const Pending* find(std::uint32_t id_low) const;

  OperationId set_timer(Time at, ApplicationId application, std::uint64_t cookie);
  void cancel_timer(OperationId timer);

  std::size_t pending() const { return tables_ ? tables_->pending.size() : 0; }
  std::size_t timers() const { return tables_ ? tables_->timers.size() : 0; }

  Time deadline() const;
  // Gives memory back if nothing waits. Not during an upcall of advance() or peer_gone().
  void release_if_idle();
  // Runs timers and ends operations that are due.
  void advance(NodeState& node, Step& step);
  // Requests to a dead peer end as unavailable.
  void peer_gone(NodeState& node, Step& step, Handle peer);
  void mark_handles(Directory& directory) const;

 private:
  struct Timer {
    Time at;
    OperationId id;
    ApplicationId application;
    std::uint64_t cookie;
    bool operator>(const Timer& other) const {
      return at != other.at ? at > other.at : id > other.id;
    }
  };
  struct Expiry {
    Time at;
    OperationId id;
    bool operator>(const Expiry& other) const {
      return at != other.at ? at > other.at : id > other.id;
    }
  };

  struct Tables {
    std::unordered_map<std::uint32_t, Pending> pending;
    std::vector<Timer> timers;     // min-heap
    std::vector<Expiry> expiries;  // min-heap, entries of ended operations stay until due
  };

  Tables& tables();
  void drop_ended_expiries();
  void run_timers(NodeState& node, Step& step);
  void expire(NodeState& node, Step& step);
  static void end(NodeState& node, Step& step, const Pending& pending, ErrorCode code,
                  const char* reason);

  OperationId last_id_ = 0;
  Box<Tables> tables_;
};

}  // namespace pastry
