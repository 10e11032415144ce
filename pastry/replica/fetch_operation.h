// Reads an entry from the nearest member of its replica set that has it intact.
//
// Sources: [PAST §2.2]: any holder may answer, the nearest one preferably [Pastry §2.5]. The
// answering node says what it holds itself; if that is nothing, or it was away and cannot say,
// everyone who may hold the entry is asked before it is called not found, and then the
// lease-guarded root is asked who that is.
#pragma once

#include <optional>
#include <vector>

#include "pastry/replica/survey_operation.h"

namespace pastry::replica {

class FetchOperation final : public SurveyOperation {
 public:
  FetchOperation(Operations& operations, ApplicationId caller, const StoreName& name,
                 Duration deadline, std::optional<Digest> expected, Callback<Blob> done)
      : SurveyOperation(operations, caller, name, deadline),
        expected_(expected),
        done_(std::move(done)) {}

 private:
  void attempt(Context context) override;
  void on_located(Context context, const Located& located,
                  const std::vector<Handle>& peers) override;
  void on_surveyed(Context context) override;
  void fail_with(Context context, Error error) override;

  void nobody_has_it(Context context);
  void read_from(Context context, std::vector<Handle> candidates);
  // Whom bytes come from, and whether it was asked to check them itself.
  struct Source {
    Handle peer = kNoHandle;
    bool checks = false;
  };

  void ask_next(Context context);
  void ask(Context context, Source source);
  void answered(Context context, Source source, const Result<Frame>& answer);
  void check(Context context, Source source, Got got, Payload value);
  void checked(Context context, Source source, const Got& got, const Payload& value,
               const Digest& digest);
  void try_another(Context context);
  void finish(Context context, const EntryInfo& entry, Payload value);
  void stop_hedging(Context context);

  const std::optional<Digest> expected_;
  Callback<Blob> done_;
  LookupKind kind_ = LookupKind::replica;
  bool sure_ = false;
  bool surveyed_ = false;
  bool damaged_ = false;  // some copy did not match its digest
  std::vector<Handle> candidates_;
  std::size_t next_ = 0;
  std::size_t outstanding_ = 0;
  std::uint64_t attempt_ = 0;
  std::uint64_t hedge_timer_ = 0;
};

}  // namespace pastry::replica
