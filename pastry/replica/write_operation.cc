#include "pastry/replica/write_operation.h"

#include <algorithm>
#include <utility>

#include "pastry/replica/placement.h"

namespace pastry::replica {

namespace {

constexpr std::size_t kShownDigits = 8;  // of an id, in messages

Error too_few(int wanted, int stores) {
  return {ErrorCode::unavailable, "too few replicas: " + std::to_string(wanted) +
                                      (wanted == 1 ? " copy" : " copies") + " wanted, " +
                                      std::to_string(stores) + " distinct store" +
                                      (stores == 1 ? "" : "s") + " in the ring"};
}

// Why a member has not acknowledged, for people.
std::string refusal(const Result<Frame>& answer) {
  const auto* stored = answer ? std::get_if<Stored>(&answer->message) : nullptr;
  if (stored == nullptr) {
    const bool gone = !answer && answer.error().code == ErrorCode::unavailable;
    return gone ? "is gone" : "did not answer";
  }
  switch (stored->status) {
    case Answer::busy:
      return "is busy";
    case Answer::refused:
      return "does not see itself among the holders";
    case Answer::failed:
      return "could not write to its disk";
    default:
      return "refused the copy";
  }
}

}  // namespace

WriteOperation::WriteOperation(Operations& operations, ApplicationId caller, EntryInfo entry,
                               Payload value, bool strict, const Copies& copies,
                               Callback<PutResult> done)
    : Operation(operations, caller, entry.name, copies.deadline),
      entry_(std::move(entry)),
      value_(std::move(value)),
      strict_(strict),
      copies_(copies),
      done_(std::move(done)) {}

void WriteOperation::attempt(Context context) {
  if (!entry_.digest && !entry_.meta.tombstone) return compute_digest(context);
  if (frame_.empty()) {
    auto frame = encode(StoreMessage{entry_, strict_}, value_.view());
    if (!frame) return fail_with(context, frame.error());
    frame_ = std::move(*frame);
    value_ = Payload();
  }
  locate(context, LookupKind::consistent, copies_.k, false);
}

void WriteOperation::compute_digest(Context context) {
  if (value_.size() <= kBulkThreshold) {
    return digested(context, operations_.hash.digest(value_.view()));
  }
  operations_.calls.store(
      context, ComputeDigest{value_},
      [weak = weak_from_this(), this](Context c, const Result<StoreOutcome>& result) {
        const auto self = weak.lock();
        if (!self || !open()) return;
        const auto* computed = result ? std::get_if<ComputeDigestDone>(&*result) : nullptr;
        if (computed != nullptr) return digested(c, computed->digest);
        // Too much to hash at a time; later, then.
        retry(c, result ? Error{} : result.error());
      });
}

void WriteOperation::digested(Context context, const Digest& digest) {
  entry_.digest = digest;
  attempt(context);
}

void WriteOperation::on_located(Context context, const Located&, const std::vector<Handle>& peers) {
  const int stores = distinct_stores(context.directory(), peers);
  const int least = copies_.at_least > 0 ? copies_.at_least : copies_.k;
  if (stores < least) {
    return fail_with(context, too_few(copies_.k, stores));
  }
  target_ = std::min(stores, copies_.k);
  if (complete(context)) return;
  for (const Handle peer : peers) {
    if (!contains(acknowledged_, peer) && !contains(outstanding_, peer)) send(context, peer);
  }
}

void WriteOperation::send(Context context, Handle peer) {
  outstanding_.push_back(peer);
  const Duration timeout = std::min(patience(frame_.size()), remaining(context));
  operations_.calls.request(
      context, peer, frame_, timeout,
      [weak = weak_from_this(), this, peer](Context c, const Result<Frame>& answer) {
        if (const auto self = weak.lock(); self && open()) answered(c, peer, answer);
      });
}

void WriteOperation::answered(Context context, Handle peer, const Result<Frame>& answer) {
  std::erase(outstanding_, peer);
  const auto* stored = answer ? std::get_if<Stored>(&answer->message) : nullptr;
  if (stored != nullptr) {
    switch (stored->status) {
      case Answer::ok:
        return accepted(context, peer);
      case Answer::conflict:
        return fail_with(context, {ErrorCode::conflict, "other content is stored under this name"});
      case Answer::removed:
        return fail_with(context, {ErrorCode::conflict, "this name was removed; use another salt"});
      case Answer::full:
        return fail_with(context, {ErrorCode::full, "a holder of this key has no space left"});
      case Answer::corrupt:
        return fail_with(context, {ErrorCode::corrupt, "the value does not match its digest"});
      default:
        break;
    }
  }
  refusals_[peer] = refusal(answer);
  // The other requests go on; once all have ended, the root is asked again.
  if (!outstanding_.empty()) return;
  retry(context, too_slow(context));
}

Error WriteOperation::too_slow(Context context) const {
  std::string text = "only " + std::to_string(distinct_stores(context.directory(), holders())) +
                     " of " + std::to_string(target_) + " holders acknowledged in time";
  const char* separator = ": ";
  for (const Handle peer : peers_) {
    const auto found = refusals_.find(peer);
    if (found == refusals_.end() || contains(acknowledged_, peer)) continue;
    text += std::exchange(separator, ", ") + context.id(peer).hex().substr(0, kShownDigits) + " " +
            found->second;
  }
  return {ErrorCode::timed_out, std::move(text)};
}

void WriteOperation::accepted(Context context, Handle peer) {
  if (!contains(acknowledged_, peer)) acknowledged_.push_back(peer);
  if (complete(context) || !outstanding_.empty()) return;
  retry(context, too_slow(context));
}

// Members of the current set that acknowledged.
std::vector<Handle> WriteOperation::holders() const {
  std::vector<Handle> nodes;
  for (const Handle peer : peers_) {
    if (contains(acknowledged_, peer)) nodes.push_back(peer);
  }
  return nodes;
}

bool WriteOperation::complete(Context context) {
  const auto nodes = holders();
  const int stores = distinct_stores(context.directory(), nodes);
  if (target_ == 0 || stores < target_) return false;
  PutResult result;
  result.copies = stores;
  result.wanted = copies_.k;
  if (entry_.digest) result.digest = *entry_.digest;
  for (const Handle node : nodes) result.holders.push_back(context.id(node));
  close(context);
  done_(as_caller(context), std::move(result));
  return true;
}

void WriteOperation::fail_with(Context context, Error error) {
  close(context);
  done_(as_caller(context), tl::unexpected(std::move(error)));
}

}  // namespace pastry::replica
