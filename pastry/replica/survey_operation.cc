#include "pastry/replica/survey_operation.h"

#include <algorithm>
#include <utility>

namespace pastry::replica {

namespace {

// A question to a process that was started again may be lost with the connection to the former one.
constexpr int kAttempts = 2;

HolderState state_of(Answer answer) {
  switch (answer) {
    case Answer::ok:
      return HolderState::holds;
    case Answer::missing:
      return HolderState::missing;
    case Answer::removed:
      return HolderState::removed;
    case Answer::corrupt:
      return HolderState::corrupt;
    default:
      return HolderState::unreachable;
  }
}

}  // namespace

void SurveyOperation::survey(Context context) {
  findings_.clear();
  for (const Handle peer : peers_) findings_.push_back({peer, HolderState::unreachable, {}});
  waiting_ = peers_.size();
  ++round_;
  for (std::size_t i = 0; i < peers_.size(); ++i) ask(context, i, 1);
}

void SurveyOperation::ask(Context context, std::size_t index, int attempt) {
  operations_.calls.request(context, peers_[index], Stat{name_},
                            std::min(patience(0), remaining(context)),
                            [weak = weak_from_this(), this, index, attempt, round = round_](
                                Context c, const Result<Frame>& answer) {
                              const auto self = weak.lock();
                              if (!self || !open() || round != round_) return;
                              if (!answer && attempt < kAttempts) return ask(c, index, attempt + 1);
                              answered(c, index, answer);
                            });
}

void SurveyOperation::answered(Context context, std::size_t index, const Result<Frame>& answer) {
  const auto* stat = answer ? std::get_if<Statted>(&answer->message) : nullptr;
  if (stat != nullptr) {
    findings_[index].state = state_of(stat->status);
    findings_[index].entry = stat->entry;
  }
  if (--waiting_ == 0) on_surveyed(context);
}

const SurveyOperation::Finding* SurveyOperation::newest() const {
  const Finding* best = nullptr;
  for (const Finding& finding : findings_) {
    if (finding.state != HolderState::holds && finding.state != HolderState::removed) continue;
    if (best == nullptr || supersedes(finding.entry, best->entry)) best = &finding;
  }
  return best;
}

bool SurveyOperation::any(HolderState state) const {
  return std::any_of(findings_.begin(), findings_.end(),
                     [state](const Finding& finding) { return finding.state == state; });
}

void WhereOperation::attempt(Context context) {
  locate(context, LookupKind::consistent, context.config().replicas_max(), true);
}

void WhereOperation::on_located(Context context, const Located& located,
                                const std::vector<Handle>&) {
  sure_ = located.sure;
  survey(context);
}

void WhereOperation::on_surveyed(Context context) {
  const Finding* found = newest();
  if (found == nullptr) {
    if (sure_ && !any(HolderState::unreachable) && !any(HolderState::corrupt)) {
      return fail_with(context, {ErrorCode::not_found, "no holder has this entry"});
    }
    return retry(context, {ErrorCode::unavailable, "not all holders could be asked"});
  }
  if (found->state == HolderState::removed) {
    removed_ = true;
    return fail_with(context, {ErrorCode::not_found, "the entry was removed"});
  }
  auto answer = result(context, found->entry);
  close(context);
  done_(as_caller(context), answer, false);
}

Whereabouts WhereOperation::result(Context context, const EntryInfo& entry) const {
  Whereabouts where;
  where.kind = entry.meta.kind;
  where.wanted = entry.meta.replicas;
  where.size = entry.size;
  where.version = entry.version;
  where.meta = entry.meta.user;
  // The set with k members is not a prefix of the larger one when failure domains are skipped, but
  // its members come first in it.
  std::vector<Handle> intact;
  for (std::size_t i = 0; i < findings_.size(); ++i) {
    const Finding& finding = findings_[i];
    const bool holds = finding.state == HolderState::holds && same_write(finding.entry, entry);
    if (holds) intact.push_back(finding.node);
    if (!holds && i >= entry.meta.replicas) continue;
    where.holders.push_back({context.id(finding.node), finding.node, static_cast<int>(i),
                             finding.state, finding.entry.version});
  }
  where.copies = distinct_stores(context.directory(), intact);
  return where;
}

void WhereOperation::fail_with(Context context, Error error) {
  close(context);
  done_(as_caller(context), tl::unexpected(std::move(error)), removed_);
}

}  // namespace pastry::replica
