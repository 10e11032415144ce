#include "pastry/replica/record_operation.h"

#include <utility>

namespace pastry::replica {

RecordOperation::RecordOperation(Operations& operations, ApplicationId caller,
                                 RecordMessage request, Bytes value, Duration deadline,
                                 Callback<Outcome> done)
    : Operation(operations, caller, request.name, deadline),
      request_(request),
      value_(std::move(value)),
      done_(std::move(done)) {}

void RecordOperation::attempt(Context context) {
  if (frame_.empty()) {
    request_.operation = id();
    request_.writer = {context.random().next(), context.random().next()};
    auto frame = encode(request_, value_);
    if (!frame) return fail_with(context, frame.error());
    frame_ = std::move(*frame);
    value_.clear();
  }
  // What is lost on the way is repeated after the pause that retry() makes.
  (void)context.route(name_.key(), frame_);
  retry_unless_answered(context);
}

void RecordOperation::on_recorded(Context context, const Recorded& recorded, const Payload& body) {
  switch (recorded.status) {
    case Answer::ok: {
      close(context);
      return done_(as_caller(context), Outcome{recorded, body});
    }
    case Answer::missing:
      return fail_with(context, {ErrorCode::not_found, "no holder has this record"});
    case Answer::conflict:
      return fail_with(context, {ErrorCode::conflict,
                                 "the record has version " + std::to_string(recorded.version)});
    case Answer::unavailable:
      return fail_with(
          context, {ErrorCode::unavailable,
                    "too few replicas: " + std::to_string(request_.replicas) + " copies wanted, " +
                        std::to_string(recorded.copies) + " distinct stores in the ring"});
    case Answer::full:
      return fail_with(context, {ErrorCode::full, "a holder of this key has no space left"});
    case Answer::invalid:
      return fail_with(context, {ErrorCode::invalid, "the root refused the request as invalid"});
    default:
      return retry(context,
                   {ErrorCode::unavailable, "the record's holders could not all be asked"});
  }
}

void RecordOperation::fail_with(Context context, Error error) {
  close(context);
  done_(as_caller(context), tl::unexpected(std::move(error)));
}

}  // namespace pastry::replica
