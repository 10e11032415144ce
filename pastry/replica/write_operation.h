// Stores an entry on the k members of its replica set [PAST §2.2].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pastry/replica/operation.h"
#include "pastry/replica/replica.h"

namespace pastry::replica {

// The root says who the members are; each gets the entry and acknowledges when it is synced. Who is
// silent, busy or no member any more makes the root be asked again, until enough distinct stores of
// the current set have acknowledged or the deadline comes; the error then names those that have
// not, and why.
class WriteOperation final : public Operation {
 public:
  // `entry` without digest (unless a tombstone): computed from the value first.
  WriteOperation(Operations& operations, ApplicationId caller, EntryInfo entry, Payload value,
                 bool strict, const Copies& copies, Callback<PutResult> done);

 private:
  void attempt(Context context) override;
  void on_located(Context context, const Located& located,
                  const std::vector<Handle>& peers) override;
  void fail_with(Context context, Error error) override;

  void compute_digest(Context context);
  void digested(Context context, const Digest& digest);
  void send(Context context, Handle peer);
  void answered(Context context, Handle peer, const Result<Frame>& answer);
  void accepted(Context context, Handle peer);
  std::vector<Handle> holders() const;
  bool complete(Context context);
  Error too_slow(Context context) const;

  EntryInfo entry_;
  Payload value_;  // until it is in frame_
  Payload frame_;
  bool strict_;
  Copies copies_;
  Callback<PutResult> done_;
  int target_ = 0;  // distinct stores that must acknowledge
  std::vector<Handle> acknowledged_;
  std::vector<Handle> outstanding_;
  std::map<Handle, std::string> refusals_;  // of members that have not acknowledged, the last one
};

}  // namespace pastry::replica
