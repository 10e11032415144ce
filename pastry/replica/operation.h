// One operation of a client: finds the replica set, talks to its members, ends by calling back.
//
// Each kind of operation is a small state machine derived from Operation. It lives in Operations
// until it is closed; continuations hold it weakly, so that what arrives afterwards is ignored.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "pastry/replica/calls.h"
#include "pastry/replica/options.h"

namespace pastry::replica {

class Operation;

// The operations under way, and what they share.
class Operations {
 public:
  // All must outlive this.
  Operations(const Hash& digests, const Options& limits, Calls& pending)
      : hash(digests), options(limits), calls(pending) {}

  // Starts it, unless there are too many: then it ends with `full`.
  void begin(Context context, std::shared_ptr<Operation> operation);
  // An answer of a root; ignored if its operation is over.
  void located(Context context, const Located& located, const std::vector<Handle>& peers);
  void recorded(Context context, const Recorded& recorded, const Payload& body);
  void mark_handles(Directory& directory) const;
  std::size_t size() const { return running_.size(); }

  const Hash& hash;
  const Options& options;
  Calls& calls;

 private:
  friend class Operation;
  std::map<std::uint64_t, std::shared_ptr<Operation>> running_;
};

class Operation : public std::enable_shared_from_this<Operation> {
 public:
  // `caller`: in whose name the callback's Context speaks. Zero deadline: the default.
  Operation(Operations& operations, ApplicationId caller, const StoreName& name, Duration deadline);
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

 protected:
  friend class Operations;

  // The first step and every further attempt after retry().
  virtual void attempt(Context context) = 0;
  // The root's answer to locate(): `peers` is the replica set, nearest first.
  virtual void on_located(Context, const Located&, const std::vector<Handle>& /*peers*/) {}
  virtual void on_recorded(Context, const Recorded&, const Payload& /*body*/) {}
  // The operation ends with this error; calls back.
  virtual void fail_with(Context context, Error error) = 0;

  // Asks for the replica set until it is told.
  void locate(Context context, LookupKind kind, int k, bool with_entry);
  // Another attempt after a pause; `why` is what the caller hears if the deadline comes first.
  void retry(Context context, Error why);
  // Another attempt unless something is heard within Options::locate_timeout.
  void retry_unless_answered(Context context);
  // Ends the operation; a derived class calls back afterwards.
  void close(Context context);
  bool open() const { return !closed_; }

  std::uint64_t id() const { return id_; }
  Context as_caller(Context context) const { return context.as(caller_); }
  Duration remaining(Context context) const;
  // How long a request that carries this much data, either way, may take.
  Duration patience(std::size_t bytes) const;

  Operations& operations_;
  const StoreName name_;
  std::vector<Handle> peers_;  // as located last

 private:
  void start(Context context, std::uint64_t id);
  void attempt_after(Context context, Duration pause);
  void ask_root(Context context, LookupKind kind, int k, bool with_entry);

  const ApplicationId caller_;
  const Duration deadline_after_;
  Time deadline_{};
  std::uint64_t id_ = 0;
  std::uint64_t deadline_timer_ = 0;
  std::uint64_t step_timer_ = 0;  // of locate() or retry()
  Duration pause_{};
  Error last_error_;
  bool closed_ = false;
};

// How many processes (stores) the nodes live in.
int distinct_stores(const Directory& directory, const std::vector<Handle>& nodes);

}  // namespace pastry::replica
