// What publishers of topics sent and what subscribers got, and the rules between the two.
//
// It is told what happens and reports what must not (the rules: topic_work.h). It knows neither
// nodes nor time and shares no code with SCRIBE, so that it can be fed by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pastry/core/id.h"
#include "pastry/core/payload.h"
#include "scribe/scribe.h"

namespace pastry::cli {

// One stay of a node: from its start to its end.
using Life = std::uint64_t;
// Numbers of accepted publishes and of subscriptions, each in the order in which they were made.
using PublishNumber = std::size_t;
using SubscriptionNumber = std::size_t;

struct TopicFigures {
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;
  std::uint64_t delivered = 0;
  std::uint64_t gaps = 0;
};

class TopicLedger {
 public:
  using Report = std::function<void(std::string rule, std::string what)>;

  explicit TopicLedger(Report report) : report_(std::move(report)) {}
  TopicLedger(const TopicLedger&) = delete;
  TopicLedger& operator=(const TopicLedger&) = delete;

  // --- Publishers ---

  // The number that the next accepted publish will have.
  PublishNumber next_publish() const { return publishes_.size(); }
  void published(Life life, const NodeId& node, const Key& group, std::uint64_t sequence,
                 Payload payload);
  void answered(PublishNumber number, bool acknowledged);
  // A node is gone: nothing of it is answered or delivered any more.
  void ended(Life life);

  // --- Subscribers ---

  SubscriptionNumber subscribed(Life life, const NodeId& node, const Key& group,
                                std::size_t credit);
  void attached(SubscriptionNumber number, const Key& group);
  void message(SubscriptionNumber number, const scribe::TopicMessage& message);
  void gap(SubscriptionNumber number, const scribe::Gap& gap);
  // To be told before SCRIBE is.
  void consumed(SubscriptionNumber number, std::size_t count);
  // The subscriber let a message wait: SCRIBE may take its place away.
  void dawdled(SubscriptionNumber number) { subscriptions_[number].prompt = false; }
  void unsubscribed(SubscriptionNumber number) { subscriptions_[number].open = false; }

  // --- What is demanded ---

  // Nothing may look dead that lives: gaps need a cause.
  void demand_causes(bool demand) { causes_ = demand; }
  // How many publishes were made when the demand for completeness began; before, nothing is judged.
  void demand_complete_from(PublishNumber number) { complete_from_ = number; }

  // Nothing that was published before and is acknowledged can still come: reports what is lost.
  void judge_losses();

  // --- Views ---

  // Each empty if there is none; otherwise one, for people.
  std::string unattached() const;
  std::string unanswered() const;
  std::string undelivered(PublishNumber number) const;
  bool acknowledged(PublishNumber number) const;

  bool open(SubscriptionNumber number) const { return subscriptions_[number].open; }
  const TopicFigures& figures() const { return figures_; }

 private:
  enum class Answer : std::uint8_t { none, acknowledged, failed, orphaned };

  // The messages of one life, topic and session. The session is not told to publishers: it is
  // learnt from the first message that arrives.
  struct Numbering {
    NodeId node;
    std::optional<std::uint64_t> session;
  };

  struct Publish {
    Life life = 0;
    NodeId node;
    Key group;
    std::uint64_t sequence = 0;
    std::size_t numbering = 0;
    Payload payload;
    Answer answer = Answer::none;
  };

  // Of one life and topic.
  struct Publisher {
    std::size_t numbering = 0;
    std::uint64_t last = 0;  // sequence
    bool renumber = true;    // the next message begins a numbering
    std::deque<PublishNumber> waiting;
  };

  struct Arrival {
    std::uint64_t sequence = 0;
    std::uint64_t gaps_before = 0;  // reported to the subscription until then
  };

  using SessionKey = std::pair<NodeId, std::uint64_t>;

  struct Subscription {
    Life life = 0;
    NodeId node;
    Key group;
    std::size_t credit = 0;
    std::size_t outstanding = 0;
    bool open = true;
    bool attached = false;
    bool prompt = true;  // never let a message wait
    PublishNumber attached_at = 0;
    std::uint64_t gaps = 0;
    scribe::Position next;  // no message may come from before this
    std::map<SessionKey, std::vector<Arrival>> streams;
  };

  bool may_get(SubscriptionNumber number, const Key& group, const char* what);
  void check_place(SubscriptionNumber number, const scribe::TopicMessage& message);
  void check_bytes(SubscriptionNumber number, const scribe::TopicMessage& message);
  void learn_session(const scribe::TopicMessage& message, std::size_t numbering);
  bool arrived(const Subscription& subscription, const Publish& publish) const;
  bool excused(const Subscription& subscription, const Publish& publish) const;
  const std::vector<Arrival>* stream(const Subscription& subscription,
                                     const Publish& publish) const;
  bool owed(const Subscription& subscription, PublishNumber number) const;

  std::string name(const Subscription& subscription) const;
  std::string name(const Publish& publish) const;

  Report report_;
  std::vector<Publish> publishes_;
  std::vector<Numbering> numberings_;
  std::vector<Subscription> subscriptions_;
  std::map<std::pair<Life, Key>, Publisher> publishers_;
  std::map<std::tuple<NodeId, Key, std::uint64_t>, std::vector<PublishNumber>> by_sequence_;
  std::map<std::tuple<NodeId, Key, std::uint64_t>, std::size_t> by_session_;
  std::uint64_t lives_ended_ = 0;
  bool causes_ = false;
  PublishNumber complete_from_ = 0;
  TopicFigures figures_;
};

}  // namespace pastry::cli
