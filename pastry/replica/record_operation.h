// A client's update or read of a record: routed to the root of the key, which decides.
#pragma once

#include "pastry/replica/operation.h"
#include "pastry/replica/replica.h"

namespace pastry::replica {

// Repeated under the same writer id until the root answers, so that an update that the root (or its
// successor) has done already is recognised.
class RecordOperation final : public Operation {
 public:
  struct Outcome {
    Recorded recorded;
    Payload value;
  };

  // `request`: all but operation and writer.
  RecordOperation(Operations& operations, ApplicationId caller, RecordMessage request, Bytes value,
                  Duration deadline, Callback<Outcome> done);

 private:
  void attempt(Context context) override;
  void on_recorded(Context context, const Recorded& recorded, const Payload& body) override;
  void fail_with(Context context, Error error) override;

  RecordMessage request_;
  Bytes value_;
  Payload frame_;
  Callback<Outcome> done_;
};

}  // namespace pastry::replica
