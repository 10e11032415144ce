#include "apps/sim/services/topic_ledger.h"

#include <algorithm>

namespace pastry::cli {
namespace {

std::string short_name(const NodeId& id) { return id.hex().substr(0, 8); }

std::string describe(const scribe::TopicMessage& message) {
  return "message " + std::to_string(message.sequence) + " of " + short_name(message.publisher) +
         " (session " + std::to_string(message.session) + ") at " +
         std::to_string(message.position.epoch) + "." + std::to_string(message.position.offset);
}

}  // namespace

std::string TopicLedger::name(const Subscription& subscription) const {
  const auto number = static_cast<std::size_t>(&subscription - subscriptions_.data());
  return "subscription " + std::to_string(number) + " of " + short_name(subscription.node) +
         " to " + short_name(subscription.group);
}

std::string TopicLedger::name(const Publish& publish) const {
  const auto number = static_cast<std::size_t>(&publish - publishes_.data());
  return "publish " + std::to_string(number) + " of " + short_name(publish.node) + " to " +
         short_name(publish.group) + ", sequence " + std::to_string(publish.sequence);
}

// --- Publishers ---------------------------------------------------------------------------------

void TopicLedger::published(Life life, const NodeId& node, const Key& group, std::uint64_t sequence,
                            Payload payload) {
  Publisher& publisher = publishers_[{life, group}];
  // A publisher that was idle for long forgets its numbers, and begins anew under another session.
  if (sequence != publisher.last + 1) {
    if (sequence != 1 || !publisher.waiting.empty()) {
      report_("consecutive", "sequence " + std::to_string(sequence) + " of " + short_name(node) +
                                 " follows " + std::to_string(publisher.last));
    }
    publisher.renumber = true;
  }
  if (publisher.renumber) {
    publisher.renumber = false;
    publisher.numbering = numberings_.size();
    numberings_.push_back({node, {}});
  }
  publisher.last = sequence;
  publisher.waiting.push_back(publishes_.size());
  by_sequence_[{node, group, sequence}].push_back(publishes_.size());
  publishes_.push_back(
      {life, node, group, sequence, publisher.numbering, std::move(payload), Answer::none});
}

void TopicLedger::answered(PublishNumber number, bool acknowledged) {
  if (number >= publishes_.size() || publishes_[number].answer != Answer::none) {
    report_("callback-once", "publish " + std::to_string(number) + " was answered again");
    return;
  }
  Publish& publish = publishes_[number];
  publish.answer = acknowledged ? Answer::acknowledged : Answer::failed;
  ++(acknowledged ? figures_.acknowledged : figures_.failed);
  Publisher& publisher = publishers_[{publish.life, publish.group}];
  if (publisher.waiting.front() != number) {
    report_("callback-order",
            name(publish) + " was answered before " + std::to_string(publisher.waiting.front()));
  }
  std::erase(publisher.waiting, number);
  // What failed is not known to have arrived; numbers go on under another session.
  if (!acknowledged) publisher.renumber = true;
}

void TopicLedger::ended(Life life) {
  ++lives_ended_;
  for (Publish& publish : publishes_) {
    if (publish.life == life && publish.answer == Answer::none) publish.answer = Answer::orphaned;
  }
  for (Subscription& subscription : subscriptions_) {
    if (subscription.life == life) subscription.open = false;
  }
}

// --- Subscribers --------------------------------------------------------------------------------

SubscriptionNumber TopicLedger::subscribed(Life life, const NodeId& node, const Key& group,
                                           std::size_t credit) {
  Subscription& subscription = subscriptions_.emplace_back();
  subscription.life = life;
  subscription.node = node;
  subscription.group = group;
  subscription.credit = credit;
  return subscriptions_.size() - 1;
}

bool TopicLedger::may_get(SubscriptionNumber number, const Key& group, const char* what) {
  const Subscription& subscription = subscriptions_[number];
  if (!subscription.open) {
    report_("members-only", name(subscription) + " is over and got a " + what);
  } else if (group != subscription.group) {
    report_("members-only",
            name(subscription) + " got a " + what + " of topic " + short_name(group));
  } else {
    return true;
  }
  return false;
}

void TopicLedger::attached(SubscriptionNumber number, const Key& group) {
  if (!may_get(number, group, "place in the tree")) return;
  Subscription& subscription = subscriptions_[number];
  if (subscription.attached) {
    report_("attached-once", name(subscription) + " was attached again");
  }
  subscription.attached = true;
  subscription.attached_at = publishes_.size();
}

void TopicLedger::message(SubscriptionNumber number, const scribe::TopicMessage& message) {
  if (!may_get(number, message.group, "message")) return;
  Subscription& subscription = subscriptions_[number];
  ++figures_.delivered;
  if (!subscription.attached) {
    report_("attached-first", name(subscription) + " got " + describe(message));
  }
  if (++subscription.outstanding > subscription.credit) {
    report_("credit", name(subscription) + " has " + std::to_string(subscription.outstanding) +
                          " messages and credit for " + std::to_string(subscription.credit));
  }
  check_place(number, message);
  check_bytes(number, message);
}

void TopicLedger::check_place(SubscriptionNumber number, const scribe::TopicMessage& message) {
  Subscription& subscription = subscriptions_[number];
  if (message.position < subscription.next) {
    report_("position-order", name(subscription) + " got " + describe(message) + " after " +
                                  std::to_string(subscription.next.epoch) + "." +
                                  std::to_string(subscription.next.offset));
  }
  subscription.next = message.position;
  ++subscription.next.offset;
  std::vector<Arrival>& arrivals = subscription.streams[{message.publisher, message.session}];
  if (!arrivals.empty()) {
    const Arrival& last = arrivals.back();
    if (message.sequence == last.sequence) {
      report_("no-duplicates", name(subscription) + " got " + describe(message) + " twice");
    } else if (message.sequence < last.sequence) {
      report_("publisher-order", name(subscription) + " got " + describe(message) + " after " +
                                     std::to_string(last.sequence));
    } else if (message.sequence > last.sequence + 1 && subscription.gaps == last.gaps_before) {
      report_("hole", name(subscription) + " got " + describe(message) + " right after " +
                          std::to_string(last.sequence) + ", without a gap");
    }
  }
  arrivals.push_back({message.sequence, subscription.gaps});
}

// The publisher, its session and the number name one publish; it must have had these bytes. Empty
// ones may fit several lives of a publisher as long as its session was not learnt.
void TopicLedger::check_bytes(SubscriptionNumber number, const scribe::TopicMessage& message) {
  const auto named = by_sequence_.find({message.publisher, message.group, message.sequence});
  const auto known = by_session_.find({message.publisher, message.group, message.session});
  std::vector<PublishNumber> fitting;
  if (named != by_sequence_.end()) {
    std::copy_if(named->second.begin(), named->second.end(), std::back_inserter(fitting),
                 [&](PublishNumber candidate) {
                   const Publish& publish = publishes_[candidate];
                   const bool right_session = known == by_session_.end()
                                                  ? !numberings_[publish.numbering].session
                                                  : known->second == publish.numbering;
                   return right_session && publish.payload == message.payload;
                 });
  }
  if (fitting.empty()) {
    report_("right-bytes", name(subscriptions_[number]) + " got " + describe(message) + ", " +
                               std::to_string(message.payload.size()) +
                               " bytes that were not published so");
  } else if (fitting.size() == 1 && known == by_session_.end()) {
    learn_session(message, publishes_[fitting.front()].numbering);
  }
}

void TopicLedger::learn_session(const scribe::TopicMessage& message, std::size_t numbering) {
  numberings_[numbering].session = message.session;
  by_session_[{message.publisher, message.group, message.session}] = numbering;
}

void TopicLedger::gap(SubscriptionNumber number, const scribe::Gap& gap) {
  if (!may_get(number, gap.group, "gap")) return;
  Subscription& subscription = subscriptions_[number];
  ++figures_.gaps;
  ++subscription.gaps;
  if (causes_ && lives_ended_ == 0 && subscription.prompt) {
    report_("needless-gap", name(subscription) + " got a gap although nobody died");
  }
}

void TopicLedger::consumed(SubscriptionNumber number, std::size_t count) {
  subscriptions_[number].outstanding -= count;
}

// --- Completeness -------------------------------------------------------------------------------

const std::vector<TopicLedger::Arrival>* TopicLedger::stream(const Subscription& subscription,
                                                             const Publish& publish) const {
  const Numbering& numbering = numberings_[publish.numbering];
  if (!numbering.session) return nullptr;
  const auto found = subscription.streams.find({publish.node, *numbering.session});
  return found == subscription.streams.end() ? nullptr : &found->second;
}

bool TopicLedger::arrived(const Subscription& subscription, const Publish& publish) const {
  const std::vector<Arrival>* arrivals = stream(subscription, publish);
  return arrivals != nullptr &&
         std::any_of(arrivals->begin(), arrivals->end(),
                     [&](const Arrival& arrival) { return arrival.sequence == publish.sequence; });
}

// Whether a gap was reported where the message is missing: between the publisher's messages before
// and after it.
bool TopicLedger::excused(const Subscription& subscription, const Publish& publish) const {
  std::uint64_t before = 0;
  std::uint64_t after = subscription.gaps;
  if (const std::vector<Arrival>* arrivals = stream(subscription, publish)) {
    for (const Arrival& arrival : *arrivals) {
      if (arrival.sequence < publish.sequence) {
        before = arrival.gaps_before;
      } else {
        after = arrival.gaps_before;
        break;
      }
    }
  }
  return after > before;
}

bool TopicLedger::owed(const Subscription& subscription, PublishNumber number) const {
  return subscription.open && subscription.attached && number >= subscription.attached_at &&
         publishes_[number].group == subscription.group;
}

void TopicLedger::judge_losses() {
  for (const Subscription& subscription : subscriptions_) {
    const PublishNumber from = std::max(subscription.attached_at, complete_from_);
    for (PublishNumber number = from; number < publishes_.size(); ++number) {
      const Publish& publish = publishes_[number];
      if (publish.answer != Answer::acknowledged || !owed(subscription, number)) continue;
      // An empty message that fits several lives is not attributed to any.
      if (publish.payload.empty() && !numberings_[publish.numbering].session) continue;
      if (arrived(subscription, publish) || excused(subscription, publish)) continue;
      report_("lost", name(publish) + " never came to " + name(subscription));
      return;
    }
  }
}

std::string TopicLedger::unattached() const {
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.open && !subscription.attached) return name(subscription) + " has no place";
  }
  return {};
}

std::string TopicLedger::unanswered() const {
  for (const Publish& publish : publishes_) {
    if (publish.answer == Answer::none) return name(publish) + " was not answered";
  }
  return {};
}

std::string TopicLedger::undelivered(PublishNumber number) const {
  const Publish& publish = publishes_[number];
  if (publish.answer == Answer::orphaned) return {};
  for (const Subscription& subscription : subscriptions_) {
    if (owed(subscription, number) && !arrived(subscription, publish)) {
      return name(publish) + " has not come to " + name(subscription);
    }
  }
  return {};
}

bool TopicLedger::acknowledged(PublishNumber number) const {
  const Answer answer = publishes_[number].answer;
  return answer == Answer::acknowledged || answer == Answer::orphaned;
}

}  // namespace pastry::cli
