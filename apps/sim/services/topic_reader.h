// A subscriber on a fuzzed node: tells the ledger what it gets and does what subscribers may do.
#pragma once

#include <cstddef>

#include "apps/sim/services/topic_ledger.h"
#include "scribe/scribe.h"

namespace pastry::cli {

struct ReaderHabits {
  std::size_t credit = 1;
  bool prompt = true;           // consumes each message at once
  std::size_t leave_after = 0;  // unsubscribes from within the message of this number; 0: never
};

class TopicReader final : public scribe::Subscriber {
 public:
  // Both must outlive the subscription.
  TopicReader(TopicLedger& ledger, scribe::Scribe& scribe, const ReaderHabits& habits)
      : ledger_(ledger), scribe_(scribe), habits_(habits) {}

  void begin(SubscriptionNumber number, scribe::SubscriptionId id) {
    number_ = number;
    id_ = id;
  }
  bool open() const { return ledger_.open(number_); }
  // Takes all that waits, and lets nothing wait from now on if `prompt`.
  void catch_up(Context context, bool prompt);
  void leave(Context context);

  void attached(Context context, const Key& group) override;
  void message(Context context, const scribe::TopicMessage& message) override;
  void gap(Context context, const scribe::Gap& gap) override;

 private:
  TopicLedger& ledger_;
  scribe::Scribe& scribe_;
  ReaderHabits habits_;
  SubscriptionNumber number_ = 0;
  scribe::SubscriptionId id_ = 0;
  std::size_t got_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace pastry::cli
