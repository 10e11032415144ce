#include "pastry/replica/fetch_operation.h"

#include <algorithm>
#include <utility>

namespace pastry::replica {

namespace {

// How much farther than the nearest still counts as near: below a millisecond the measured times
// tell more about load than about distance.
constexpr Duration kNearSlack = std::chrono::milliseconds(1);

bool as_near(const proximity::Proximity& distance, const proximity::Proximity& nearest,
             Duration slack) {
  if (!nearest.known() || !distance.known()) return !nearest.known();
  return distance.round_trip() <= 2 * nearest.round_trip() + slack;
}

// Itself first, then by measured distance, then the unmeasured in ring order. Those that are about
// as near as the nearest take turns by the entry's name, so that the blocks of a file come from all
// its holders side by side.
void nearest_first(Context context, const StoreName& name, std::vector<Handle>& nodes) {
  const auto distance = [&](Handle node) { return context.proximity(node); };
  const auto others = std::stable_partition(nodes.begin(), nodes.end(),
                                            [&](Handle node) { return node == context.self(); });
  std::stable_sort(others, nodes.end(),
                   [&](Handle a, Handle b) { return distance(a) < distance(b); });
  if (others == nodes.end()) return;
  const proximity::Proximity nearest = distance(*others);
  const Duration slack = context.config().metric == nullptr ? kNearSlack : Duration::zero();
  const auto end = std::find_if_not(
      others, nodes.end(), [&](Handle node) { return as_near(distance(node), nearest, slack); });
  std::rotate(others, others + name.bytes.back() % (end - others), end);
}

}  // namespace

void FetchOperation::attempt(Context context) {
  ++attempt_;
  surveyed_ = false;
  outstanding_ = 0;
  candidates_.clear();
  locate(context, kind_, context.config().replicas_max(), true);
}

void FetchOperation::on_located(Context context, const Located& located,
                                const std::vector<Handle>& peers) {
  sure_ = located.sure;
  if (located.status == Answer::removed) {
    return fail_with(context, {ErrorCode::not_found, "the entry was removed"});
  }
  if (located.status != Answer::ok) return survey(context);
  const auto k = std::min<std::size_t>(located.entry.meta.replicas, peers.size());
  read_from(context, {peers.begin(), peers.begin() + static_cast<std::ptrdiff_t>(k)});
}

void FetchOperation::on_surveyed(Context context) {
  surveyed_ = true;
  const Finding* best = newest();
  if (best == nullptr) return nobody_has_it(context);
  if (best->state == HolderState::removed) {
    return fail_with(context, {ErrorCode::not_found, "the entry was removed"});
  }
  std::vector<Handle> holders;
  for (const Finding& finding : findings_) {
    if (finding.state == HolderState::holds && same_write(finding.entry, best->entry)) {
      holders.push_back(finding.node);
    }
  }
  read_from(context, std::move(holders));
}

void FetchOperation::nobody_has_it(Context context) {
  if (any(HolderState::unreachable)) {
    kind_ = LookupKind::consistent;
    return retry(context, {ErrorCode::unavailable, "not all holders could be asked"});
  }
  if (damaged_ || any(HolderState::corrupt)) {
    return fail_with(context, {ErrorCode::corrupt, "all copies found are damaged"});
  }
  if (kind_ == LookupKind::consistent) {
    if (sure_) return fail_with(context, {ErrorCode::not_found, "no holder has this entry"});
    // The root itself is not sure whom to ask; it will be when its leaf set is whole again.
    return retry(context, {ErrorCode::unavailable, "not all holders are known"});
  }
  kind_ = LookupKind::consistent;
  attempt(context);
}

void FetchOperation::read_from(Context context, std::vector<Handle> candidates) {
  candidates_ = std::move(candidates);
  nearest_first(context, name_, candidates_);
  next_ = 0;
  ask_next(context);
}

void FetchOperation::ask_next(Context context) {
  stop_hedging(context);
  ++outstanding_;
  ask(context, {candidates_[next_++], false});
  if (next_ == candidates_.size()) return;
  hedge_timer_ = operations_.calls.after(context, operations_.options.hedge_delay,
                                         [weak = weak_from_this(), this](Context c) {
                                           const auto self = weak.lock();
                                           if (!self || !open()) return;
                                           hedge_timer_ = 0;
                                           if (next_ < candidates_.size()) ask_next(c);
                                         });
}

void FetchOperation::ask(Context context, Source source) {
  const Duration timeout = std::min(patience(kValueMax), remaining(context));
  operations_.calls.request(context, source.peer, Get{name_, source.checks}, timeout,
                            [weak = weak_from_this(), this, attempt = attempt_, source](
                                Context c, const Result<Frame>& answer) {
                              const auto self = weak.lock();
                              if (self && open() && attempt == attempt_)
                                answered(c, source, answer);
                            });
}

void FetchOperation::answered(Context context, Source source, const Result<Frame>& answer) {
  const auto* got = answer ? std::get_if<Got>(&answer->message) : nullptr;
  if (got == nullptr || got->status == Answer::busy || got->status == Answer::missing) {
    return try_another(context);
  }
  if (got->status == Answer::removed) {
    return fail_with(context, {ErrorCode::not_found, "the entry was removed"});
  }
  if (got->status == Answer::ok && got->entry.name == name_) {
    return check(context, source, *got, answer->body);
  }
  damaged_ = damaged_ || got->status == Answer::corrupt;
  try_another(context);
}

void FetchOperation::check(Context context, Source source, Got got, Payload value) {
  if (value.size() <= kBulkThreshold) {
    return checked(context, source, got, value, operations_.hash.digest(value.view()));
  }
  operations_.calls.store(
      context, ComputeDigest{value},
      [weak = weak_from_this(), this, attempt = attempt_, source, got = std::move(got), value](
          Context c, const Result<StoreOutcome>& result) {
        const auto self = weak.lock();
        if (!self || !open() || attempt != attempt_) return;
        const auto* computed = result ? std::get_if<ComputeDigestDone>(&*result) : nullptr;
        if (computed == nullptr) return try_another(c);
        checked(c, source, got, value, computed->digest);
      });
}

void FetchOperation::checked(Context context, Source source, const Got& got, const Payload& value,
                             const Digest& digest) {
  const bool intact = got.entry.digest == digest;
  if (intact && (!expected_ || *expected_ == digest)) return finish(context, got.entry, value);
  damaged_ = true;
  // The holder does not know: asked to look itself, it replaces a damaged copy.
  if (!intact && !source.checks) return ask(context, {source.peer, true});
  try_another(context);
}

void FetchOperation::try_another(Context context) {
  --outstanding_;
  if (next_ < candidates_.size()) return ask_next(context);
  if (outstanding_ > 0) return;
  stop_hedging(context);
  if (!surveyed_) return survey(context);
  if (damaged_ && !any(HolderState::unreachable)) {
    return fail_with(context, {ErrorCode::corrupt, "all copies found are damaged"});
  }
  kind_ = LookupKind::consistent;
  retry(context, {ErrorCode::unavailable, "no holder of this entry answered"});
}

void FetchOperation::finish(Context context, const EntryInfo& entry, Payload value) {
  stop_hedging(context);
  close(context);
  Blob blob{std::move(value), entry.meta.user, *entry.digest, entry.meta.replicas};
  done_(as_caller(context), std::move(blob));
}

void FetchOperation::fail_with(Context context, Error error) {
  stop_hedging(context);
  close(context);
  done_(as_caller(context), tl::unexpected(std::move(error)));
}

void FetchOperation::stop_hedging(Context context) {
  operations_.calls.cancel(context, std::exchange(hedge_timer_, 0));
}

}  // namespace pastry::replica
