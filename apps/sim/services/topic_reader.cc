#include "apps/sim/services/topic_reader.h"

#include <utility>

namespace pastry::cli {

void TopicReader::catch_up(Context context, bool prompt) {
  habits_.prompt = habits_.prompt || prompt;
  const std::size_t count = std::exchange(waiting_, 0);
  if (count == 0) return;
  ledger_.consumed(number_, count);
  scribe_.consumed(context, id_, count);
}

void TopicReader::leave(Context context) {
  ledger_.unsubscribed(number_);
  scribe_.unsubscribe(context, id_);
}

void TopicReader::attached(Context, const Key& group) { ledger_.attached(number_, group); }

void TopicReader::message(Context context, const scribe::TopicMessage& message) {
  ledger_.message(number_, message);
  // A call that must not come: the Scribe may be gone.
  if (!open()) return;
  ++waiting_;
  if (habits_.prompt) {
    catch_up(context, true);
  } else {
    ledger_.dawdled(number_);
  }
  if (++got_ == habits_.leave_after) leave(context);
}

void TopicReader::gap(Context, const scribe::Gap& gap) { ledger_.gap(number_, gap); }

}  // namespace pastry::cli
