#include "pastry/replica/hand_over_operation.h"

#include "pastry/replica/placement.h"

namespace pastry::replica {

void HandOverOperation::attempt(Context context) {
  locate(context, LookupKind::consistent, line_.replicas, false);
}

void HandOverOperation::on_located(Context context, const Located& located,
                                   const std::vector<Handle>& peers) {
  member_ = contains(peers, context.self());
  waiting_ = peers.size() - (member_ ? 1 : 0);
  confirmed_ = 0;
  if (!located.sure || waiting_ == 0) return finish(context, false);
  for (const Handle peer : peers) {
    if (peer == context.self()) continue;
    operations_.calls.request(
        context, peer, Offer{{line_}, false}, patience(0),
        [weak = weak_from_this(), this](Context c, const Result<Frame>& answer) {
          if (const auto self = weak.lock(); self && open()) {
            answered(c, answer);
          }
        });
  }
}

void HandOverOperation::answered(Context context, const Result<Frame>& answer) {
  const auto* judged = answer ? std::get_if<OfferAnswer>(&answer->message) : nullptr;
  if (judged != nullptr && judged->answers.size() == 1 && confirms(judged->answers[0])) {
    ++confirmed_;
  }
  if (--waiting_ > 0) return;
  if (member_) return finish(context, false);
  if (confirmed_ == peers_.size()) return finish(context, true);
  // Those that lack it are fetching it now.
  retry(context, {ErrorCode::unavailable, "not all members have it yet"});
}

void HandOverOperation::finish(Context context, bool confirmed) {
  close(context);
  done_(as_caller(context), confirmed);
}

void HandOverOperation::fail_with(Context context, Error) { finish(context, false); }

}  // namespace pastry::replica
