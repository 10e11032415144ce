// Gives an entry of which this node cannot tell who should hold it to those who should.
//
// A node that was away, or around which many others joined, may hold entries whose replica set its
// own leaf set does not tell any more: the root is asked, and its members fetch the entry from
// here. If the node turns out to be a member itself, the others are told once and it keeps its
// copy.
#pragma once

#include <vector>

#include "pastry/replica/operation.h"

namespace pastry::replica {

class HandOverOperation final : public Operation {
 public:
  // `done` is told whether this node is no member and all that are have confirmed theirs.
  using Done = std::function<void(Context, bool confirmed)>;

  HandOverOperation(Operations& operations, ApplicationId caller, const EntryInfo& entry,
                    Duration deadline, Done done)
      : Operation(operations, caller, entry.name, deadline),
        line_(offered(entry)),
        done_(std::move(done)) {}

 private:
  void attempt(Context context) override;
  void on_located(Context context, const Located& located,
                  const std::vector<Handle>& peers) override;
  void fail_with(Context context, Error error) override;

  void answered(Context context, const Result<Frame>& answer);
  void finish(Context context, bool confirmed);

  const Offered line_;
  Done done_;
  bool member_ = false;
  std::size_t waiting_ = 0;
  std::size_t confirmed_ = 0;
};

}  // namespace pastry::replica
