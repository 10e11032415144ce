// pub, sub, topic: topics over the control protocol.
#include <algorithm>
#include <deque>
#include <utility>

#include "apps/service/methods.h"
#include "apps/service/process.h"
#include "pastry/core/application_ids.h"

namespace pastry::service {
namespace {

using control::Call;
using control::Json;

// Bytes (messages count at least kMessageCost) that a publisher may have under way here.
constexpr std::uint64_t kPublishCredit = 1U << 20;
// Messages of a subscription that may wait for the client's credit.
constexpr std::size_t kSubscriberCredit = 1024;

// --- pub ---

// Messages from the client, published one after another; acknowledged ones are counted.
class Publisher : public std::enable_shared_from_this<Publisher> {
 public:
  Publisher(Process& process, std::shared_ptr<Call> call, std::size_t node, std::string topic)
      : process_(process), call_(std::move(call)), node_(node), topic_(std::move(topic)) {}

  void start() {
    call_->on_data = [self = shared_from_this()](Payload piece, bool end) {
      self->ended_ = end;
      // An end without a frame before it carries no message.
      if (!end || !piece.empty()) self->pieces_.push_back(std::move(piece));
      self->on_loop([self](Context later) { self->pump(later); });
    };
    call_->grant(kPublishCredit);
  }

 private:
  void on_loop(std::function<void(Context)> action) {
    process_.host().run_on_node(node_, kLookupApplication, std::move(action));
  }

  void pump(Context context) {
    scribe::Scribe& scribe = process_.stack(node_).scribe;
    while (call_->open() && !pieces_.empty()) {
      const auto sequence =
          scribe.publish(context, topic_, pieces_.front(),
                         [self = shared_from_this()](Context later, const Result<void>& result) {
                           --self->pending_;
                           if (result) ++self->acknowledged_;
                           if (!result && !self->error_) self->error_ = result.error();
                           self->pump(later);
                         });
      if (!sequence) {
        // Full: the next acknowledgement makes room.
        if (sequence.error().code == ErrorCode::full && pending_ > 0) return;
        return call_->error(sequence.error());
      }
      ++published_;
      ++pending_;
      call_->grant(std::max<std::uint64_t>(pieces_.front().size(), control::kMessageCost));
      pieces_.pop_front();
    }
    if (!ended_ || !pieces_.empty() || pending_ > 0) return;
    Json result{{"topic", topic_}, {"published", published_}, {"acknowledged", acknowledged_}};
    if (error_) {
      result["error"] = error_->message;
      result["code"] = name(error_->code);
    }
    call_->result(std::move(result));
  }

  Process& process_;
  std::shared_ptr<Call> call_;
  std::size_t node_;
  std::string topic_;
  std::deque<Payload> pieces_;  // bounded by the credit
  bool ended_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t pending_ = 0;
  std::optional<Error> error_;
};

Result<std::string> topic_param(const Json& params) {
  const std::string topic = text_param(params, "topic");
  if (topic.empty() || topic.size() > scribe::kTopicNameMax) {
    return fail(ErrorCode::invalid,
                "a topic's name has 1 to " + std::to_string(scribe::kTopicNameMax) + " bytes");
  }
  return topic;
}

void pub(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto topic = topic_param(params);
  if (!topic) return call->error(topic.error());
  const auto node = process.choose_node(params);
  if (!node) return call->error(node.error());
  std::make_shared<Publisher>(process, call, *node, *topic)->start();
}

// --- sub ---

// A client's subscription: what SCRIBE delivers waits for the client's credit; SCRIBE is told that
// it was consumed when it has been sent, so that a slow client slows its topic and loses nothing.
class Subscription final : public scribe::Subscriber,
                           public std::enable_shared_from_this<Subscription> {
 public:
  Subscription(Process& process, std::shared_ptr<Call> call, std::size_t node, std::string topic)
      : process_(process), call_(std::move(call)), node_(node), topic_(std::move(topic)) {}

  void start(Context context) {
    const auto id = scribe().subscribe(context, topic_, *this, kSubscriberCredit);
    if (!id) return call_->error(id.error());
    id_ = *id;
    call_->on_credit = [self = shared_from_this()] {
      self->on_loop([self](Context later) { self->pump(later); });
    };
    call_->on_closed = [self = shared_from_this()] {
      self->on_loop([self](Context later) { self->scribe().unsubscribe(later, self->id_); });
    };
  }

  void attached(Context context, const Key& group) override {
    push(context, {{"event", "attached"}, {"topic", topic_}, {"group", group.hex()}}, {}, false);
  }

  void message(Context context, const scribe::TopicMessage& message) override {
    push(context,
         {{"topic", topic_}, {"publisher", message.publisher.hex()}, {"seq", message.sequence}},
         message.payload, true);
  }

  void gap(Context context, const scribe::Gap& gap) override {
    const auto position = [](const scribe::Position& at) -> Json {
      return {{"epoch", at.epoch}, {"offset", at.offset}};
    };
    push(context,
         {{"event", "gap"},
          {"topic", topic_},
          {"missing", gap.missing},
          {"after", position(gap.after)},
          {"before", position(gap.before)}},
         {}, false);
  }

 private:
  struct Waiting {
    Json event;
    Payload data;
    bool message = false;
  };

  scribe::Scribe& scribe() { return process_.stack(node_).scribe; }

  void on_loop(std::function<void(Context)> action) {
    process_.host().run_on_node(node_, kLookupApplication, std::move(action));
  }

  void push(Context context, Json event, Payload data, bool message) {
    waiting_.push_back({std::move(event), std::move(data), message});
    pump(context);
  }

  void pump(Context context) {
    std::size_t sent = 0;
    while (!waiting_.empty() && call_->event(waiting_.front().event, waiting_.front().data)) {
      if (waiting_.front().message) ++sent;
      waiting_.pop_front();
    }
    if (sent > 0) scribe().consumed(context, id_, sent);
  }

  Process& process_;
  std::shared_ptr<Call> call_;
  std::size_t node_;
  std::string topic_;
  scribe::SubscriptionId id_ = 0;
  std::deque<Waiting> waiting_;  // bounded by kSubscriberCredit
};

void sub(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto topic = topic_param(params);
  if (!topic) return call->error(topic.error());
  on_node(process, call, params, [&process, call, topic](Context context, std::size_t node) {
    std::make_shared<Subscription>(process, call, node, *topic)->start(context);
  });
}

// --- topic ---

Json member_json(const scribe::TreeMember& member) {
  return {{"id", member.id.hex()},
          {"parent", member.parent.hex()},
          {"depth", member.depth},
          {"children", member.children},
          {"subscribers", member.subscribers},
          {"received", member.received},
          {"lost", member.lost}};
}

void topic(Process& process, const std::shared_ptr<Call>& call, const Json& params) {
  const auto name = topic_param(params);
  if (!name) return call->error(name.error());
  on_node(process, call, params, [&process, call, name](Context context, std::size_t node) {
    process.stack(node).scribe.collect_tree(
        context, *name, [call, name](Context, const Result<scribe::Tree>& tree) {
          if (!tree) return call->error(tree.error());
          Json members = Json::array();
          std::uint64_t subscribers = 0;
          std::uint64_t lost = 0;
          for (const scribe::TreeMember& member : tree->members) {
            members.push_back(member_json(member));
            subscribers += member.subscribers;
            lost += member.lost;
          }
          const std::string root = tree->members.empty() ? "" : tree->members.front().id.hex();
          call->result({{"topic", *name},
                        {"group", tree->group.hex()},
                        {"root", root},
                        {"subscribers", subscribers},
                        {"lost", lost},
                        {"truncated", tree->truncated},
                        {"members", std::move(members)}});
        });
  });
}

}  // namespace

void add_topic_methods(Process& process) {
  control::Server& server = process.server();
  const auto add = [&](const char* name, auto method) {
    server.add_method(name, [&process, method](const auto& call, const Json& params) {
      method(process, call, params);
    });
  };
  add("pub", pub);
  add("sub", sub);
  add("topic", topic);
}

}  // namespace pastry::service
