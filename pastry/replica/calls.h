// Pending requests, storage operations and timers of a replica layer, each with what to do next.
//
// Continuations run on the node's loop in a later upcall, never from within the call that registers
// them. They live here and nowhere else: when the node goes down they are dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "pastry/core/application.h"
#include "pastry/replica/messages.h"

namespace pastry::replica {

// Frames above this size travel with bulk priority.
inline constexpr std::size_t kBulkThreshold = 4096;

class Calls {
 public:
  using Reply = std::function<void(Context, Result<Frame>)>;
  using Stored = std::function<void(Context, Result<StoreOutcome>)>;
  using Action = std::function<void(Context)>;

  // Sends an encoded message and waits for the answer.
  void request(Context context, Handle to, const Payload& frame, Duration timeout, Reply reply);
  // The same for a message without body.
  void request(Context context, Handle to, const ReplicaMessage& message, Duration timeout,
               Reply reply);
  static void answer(Context context, const Incoming& to, const ReplicaMessage& message,
                     ByteView body = {});

  void store(Context context, StoreOperation operation, Stored stored);

  // Returns an id for cancel(); never 0.
  std::uint64_t after(Context context, Duration delay, Action action);
  void cancel(Context context, std::uint64_t timer);

  // --- From the upcalls of the same names; false: not one of ours ---

  bool replied(Context context, OperationId operation, const Result<Payload>& answer);
  bool stored(Context context, OperationId operation, const Result<StoreOutcome>& result);
  bool timer(Context context, std::uint64_t cookie);

  void mark_handles(Directory& directory) const;

 private:
  struct Request {
    Handle to = kNoHandle;
    Reply reply;
  };
  struct Timer {
    OperationId operation = 0;
    Action action;
  };

  std::unordered_map<OperationId, Request> requests_;
  std::unordered_map<OperationId, Stored> storage_;
  std::unordered_map<std::uint64_t, Timer> timers_;
  std::uint64_t last_timer_ = 0;
};

}  // namespace pastry::replica
