#include "pastry/replica/calls.h"

#include <utility>

namespace pastry::replica {

namespace {

Priority priority_of(std::size_t bytes) {
  return bytes > kBulkThreshold ? Priority::bulk : Priority::application;
}

}  // namespace

void Calls::request(Context context, Handle to, const Payload& frame, Duration timeout,
                    Reply reply) {
  const auto operation = context.request(to, frame, timeout, priority_of(frame.size()));
  if (operation) {
    requests_.emplace(*operation, Request{to, std::move(reply)});
    return;
  }
  after(context, Duration::zero(),
        [reply = std::move(reply), error = operation.error()](Context c) {
          reply(c, tl::unexpected(error));
        });
}

void Calls::request(Context context, Handle to, const ReplicaMessage& message, Duration timeout,
                    Reply reply) {
  const auto frame = encode(message);
  // Our own messages are within their bounds; an empty frame is refused by the peer otherwise.
  request(context, to, frame ? *frame : Payload(), timeout, std::move(reply));
}

void Calls::answer(Context context, const Incoming& to, const ReplicaMessage& message,
                   ByteView body) {
  const auto frame = encode(message, body);
  if (!frame) return;
  // An answer that cannot be sent now is a lost one: the asker's timeout covers it.
  (void)context.reply(to.from, to.request, *frame, priority_of(frame->size()));
}

void Calls::store(Context context, StoreOperation operation, Stored stored) {
  storage_.emplace(context.store(std::move(operation)), std::move(stored));
}

std::uint64_t Calls::after(Context context, Duration delay, Action action) {
  const std::uint64_t id = ++last_timer_;
  timers_.emplace(id, Timer{context.set_timer(delay, id), std::move(action)});
  return id;
}

void Calls::cancel(Context context, std::uint64_t timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  context.cancel_timer(found->second.operation);
  timers_.erase(found);
}

bool Calls::replied(Context context, OperationId operation, const Result<Payload>& answer) {
  const auto found = requests_.find(operation);
  if (found == requests_.end()) return false;
  const Reply reply = std::move(found->second.reply);
  requests_.erase(found);
  if (answer) {
    reply(context, decode(*answer));
  } else {
    reply(context, tl::unexpected(answer.error()));
  }
  return true;
}

bool Calls::stored(Context context, OperationId operation, const Result<StoreOutcome>& result) {
  const auto found = storage_.find(operation);
  if (found == storage_.end()) return false;
  const Stored next = std::move(found->second);
  storage_.erase(found);
  next(context, result);
  return true;
}

bool Calls::timer(Context context, std::uint64_t cookie) {
  const auto found = timers_.find(cookie);
  if (found == timers_.end()) return false;
  const Action action = std::move(found->second.action);
  timers_.erase(found);
  action(context);
  return true;
}

void Calls::mark_handles(Directory& directory) const {
  for (const auto& [operation, request] : requests_) directory.mark(request.to);
}

}  // namespace pastry::replica
