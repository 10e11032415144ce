#include "pastry/replica/operation.h"

#include <algorithm>
#include <set>
#include <utility>

namespace pastry::replica {

void Operations::begin(Context context, std::shared_ptr<Operation> operation) {
  std::uint64_t id = 0;
  while (id == 0 || running_.count(id) != 0) id = context.random().next();
  const bool room = running_.size() < options.operations_max;
  running_.emplace(id, operation);
  operation->start(context, id);
  // The first step is a step of its own: no callback comes from within the caller's downcall.
  calls.after(context, Duration::zero(),
              [weak = std::weak_ptr<Operation>(operation), room](Context c) {
                const auto self = weak.lock();
                if (!self || !self->open()) return;
                if (room) return self->attempt(c);
                self->fail_with(c, {ErrorCode::full, "too many operations at a time on this node"});
              });
}

namespace {

// Whoever answered does not know yet that this node came back: what is sent to its earlier
// incarnation reaches nobody.
bool names_earlier_self(Context context, const std::vector<Handle>& peers) {
  return std::any_of(peers.begin(), peers.end(),
                     [context](Handle peer) { return context.is_earlier_self(peer); });
}

}  // namespace

void Operations::located(Context context, const Located& located,
                         const std::vector<Handle>& peers) {
  const auto found = running_.find(located.operation);
  if (found == running_.end() || peers.empty()) return;
  const auto operation = found->second;
  if (operation->step_timer_ == 0) return;         // answered already
  if (names_earlier_self(context, peers)) return;  // asked again when the timer ends
  calls.cancel(context, std::exchange(operation->step_timer_, 0));
  operation->peers_ = peers;
  operation->on_located(context, located, peers);
}

void Operations::recorded(Context context, const Recorded& recorded, const Payload& body) {
  const auto found = running_.find(recorded.operation);
  if (found == running_.end()) return;
  const auto operation = found->second;
  operation->on_recorded(context, recorded, body);
}

void Operations::mark_handles(Directory& directory) const {
  for (const auto& [id, operation] : running_) {
    for (const Handle peer : operation->peers_) directory.mark(peer);
  }
}

Operation::Operation(Operations& operations, ApplicationId caller, const StoreName& name,
                     Duration deadline)
    : operations_(operations),
      name_(name),
      caller_(caller),
      deadline_after_(deadline > Duration::zero() ? deadline
                                                  : operations.options.operation_deadline),
      pause_(operations.options.retry_min),
      last_error_{ErrorCode::timed_out,
                  "nobody said in time as the root of the key who its holders are"} {}

void Operation::start(Context context, std::uint64_t id) {
  id_ = id;
  deadline_ = context.now() + deadline_after_;
  deadline_timer_ =
      operations_.calls.after(context, deadline_after_, [weak = weak_from_this()](Context c) {
        const auto self = weak.lock();
        if (!self || self->closed_) return;
        self->deadline_timer_ = 0;
        self->fail_with(c, self->last_error_);
      });
}

void Operation::locate(Context context, LookupKind kind, int k, bool with_entry) {
  ask_root(context, kind, k, with_entry);
}

void Operation::ask_root(Context context, LookupKind kind, int k, bool with_entry) {
  const auto frame = encode(Locate{id_, name_, static_cast<std::uint8_t>(k), with_entry});
  RouteOptions options;
  options.kind = kind;
  options.replicas = kind == LookupKind::replica ? std::min(k, 3) : 1;
  // A refusal (too many pending) is treated like a loss: asked again below.
  if (frame) (void)context.route(name_.key(), *frame, options);
  operations_.calls.cancel(context, std::exchange(step_timer_, 0));
  step_timer_ =
      operations_.calls.after(context, operations_.options.locate_timeout,
                              [weak = weak_from_this(), k, with_entry](Context c) {
                                const auto self = weak.lock();
                                // Again, and this time to the root itself.
                                if (self && !self->closed_)
                                  self->ask_root(c, LookupKind::consistent, k, with_entry);
                              });
}

void Operation::retry(Context context, Error why) {
  if (closed_) return;
  last_error_ = std::move(why);
  const Duration pause = context.random().jittered(pause_, 50);
  pause_ = std::min(pause_ * 2, operations_.options.retry_max);
  attempt_after(context, pause);
}

void Operation::retry_unless_answered(Context context) {
  attempt_after(context, operations_.options.locate_timeout);
}

void Operation::attempt_after(Context context, Duration pause) {
  operations_.calls.cancel(context, std::exchange(step_timer_, 0));
  step_timer_ = operations_.calls.after(context, pause, [weak = weak_from_this()](Context c) {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    self->step_timer_ = 0;
    self->attempt(c);
  });
}

void Operation::close(Context context) {
  if (closed_) return;
  closed_ = true;
  operations_.calls.cancel(context, step_timer_);
  operations_.calls.cancel(context, deadline_timer_);
  operations_.running_.erase(id_);
}

Duration Operation::remaining(Context context) const {
  return std::max<Duration>(deadline_ - context.now(), milliseconds(1));
}

Duration Operation::patience(std::size_t bytes) const {
  const Duration most = operations_.options.attempt_timeout;
  return bytes > kBulkThreshold ? most : most / 4;
}

int distinct_stores(const Directory& directory, const std::vector<Handle>& nodes) {
  std::set<std::uint32_t> hosts;
  for (const Handle node : nodes) hosts.insert(index(directory.host_index(node)));
  return static_cast<int>(hosts.size());
}

}  // namespace pastry::replica
