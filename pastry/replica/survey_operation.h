// Operations that first ask every member of the largest replica set what it holds.
#pragma once

#include <optional>
#include <vector>

#include "pastry/replica/operation.h"
#include "pastry/replica/replica.h"

namespace pastry::replica {

// Asks all of peers_ at once.
class SurveyOperation : public Operation {
 protected:
  struct Finding {
    Handle node = kNoHandle;
    HolderState state = HolderState::unreachable;
    EntryInfo entry;  // with holds and removed
  };

  using Operation::Operation;

  // Forgets earlier findings; on_surveyed() when all have answered or timed out.
  void survey(Context context);
  virtual void on_surveyed(Context context) = 0;

  // The winner among what was found; none if nobody has an entry or a tombstone.
  const Finding* newest() const;
  bool any(HolderState state) const;

  std::vector<Finding> findings_;

 private:
  void ask(Context context, std::size_t index, int attempt);
  void answered(Context context, std::size_t index, const Result<Frame>& answer);

  std::size_t waiting_ = 0;
  std::uint64_t round_ = 0;
};

// Where are the copies?
class WhereOperation final : public SurveyOperation {
 public:
  // `removed`: the error is not_found because there is a tombstone.
  using Done = std::function<void(Context, const Result<Whereabouts>&, bool removed)>;

  WhereOperation(Operations& operations, ApplicationId caller, const StoreName& name,
                 Duration deadline, Done done)
      : SurveyOperation(operations, caller, name, deadline), done_(std::move(done)) {}

 private:
  void attempt(Context context) override;
  void on_located(Context context, const Located& located,
                  const std::vector<Handle>& peers) override;
  void on_surveyed(Context context) override;
  void fail_with(Context context, Error error) override;

  Whereabouts result(Context context, const EntryInfo& entry) const;

  bool sure_ = false;
  bool removed_ = false;
  Done done_;
};

}  // namespace pastry::replica
