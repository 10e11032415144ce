#include "scribe/scribe.h"

#include <utility>

#include "pastry/core/application_ids.h"
#include "scribe/control.h"
#include "scribe/frames.h"
#include "scribe/membership.h"
#include "scribe/publishing.h"
#include "scribe/root.h"
#include "scribe/shared.h"
#include "scribe/stream.h"
#include "scribe/walks.h"

namespace scribe {

using pastry::ErrorCode;
using pastry::fail;
using pastry::ForwardDecision;

struct Scribe::State {
  State(const Settings& settings, RootRegistry* registry)
      : shared(settings, registry),
        membership(shared),
        stream(shared, membership),
        root(shared, membership, stream),
        publishing(shared),
        walks(shared) {}

  Shared shared;
  Membership membership;
  Stream stream;
  Root root;
  Publishing publishing;
  Walks walks;
  std::map<SubscriptionId, Key> subscriptions;
  SubscriptionId next_subscription = 0;  // 0: none given out yet

  bool idle() const {
    return shared.topics().empty() && shared.claims == 0 && subscriptions.empty() &&
           publishing.idle() && walks.empty();
  }
  void flush(Context context);
  void tick(Context context);
  void control(Context context, const pastry::Incoming& message);
  LocalSubscriber* local(SubscriptionId subscription, Topic** topic);
};

namespace {

Result<void> check_name(std::string_view topic) {
  if (topic.empty() || topic.size() > kTopicNameMax) {
    return fail(ErrorCode::invalid,
                "a topic's name has 1 to " + std::to_string(kTopicNameMax) + " bytes");
  }
  return {};
}

}  // namespace

Scribe::Scribe(const Settings& settings, RootRegistry* registry)
    : settings_(&settings), registry_(registry) {}

Scribe::~Scribe() = default;

Scribe::State& Scribe::state() {
  if (!state_) state_ = std::make_unique<State>(*settings_, registry_);
  return *state_;
}

Key Scribe::group(std::string_view topic) const { return Shared(*settings_, nullptr).group(topic); }

// --- Downcalls ----------------------------------------------------------------------------------

Result<SubscriptionId> Scribe::subscribe(Context context, std::string_view topic,
                                         Subscriber& subscriber, std::size_t credit) {
  if (auto valid = check_name(topic); !valid) return tl::unexpected(valid.error());
  context = context.as(pastry::kScribeApplication);
  State& my = state();
  const bool known = my.shared.find(group(topic)) != nullptr;
  Topic* entry = my.shared.find_or_create(context, group(topic));
  if (entry == nullptr) return fail(ErrorCode::full, "too many topics at this node");
  if (entry->name.empty()) entry->name = topic;
  // From a random number on: what an earlier state gave out must not name another subscription.
  if (my.next_subscription == 0) my.next_subscription = context.random().next() >> 1;
  const SubscriptionId id = ++my.next_subscription;
  LocalSubscriber& local = entry->locals[id];
  local.subscriber = &subscriber;
  local.credit = credit;
  local.progress = context.now();
  my.subscriptions[id] = entry->group;
  if (!known) my.membership.send_join(context, *entry);
  my.shared.touch(context, *entry);
  return id;
}

LocalSubscriber* Scribe::State::local(SubscriptionId subscription, Topic** topic) {
  const auto found = subscriptions.find(subscription);
  if (found == subscriptions.end()) return nullptr;
  *topic = shared.find(found->second);
  if (*topic == nullptr) return nullptr;
  const auto entry = (*topic)->locals.find(subscription);
  return entry == (*topic)->locals.end() ? nullptr : &entry->second;
}

void Scribe::unsubscribe(Context context, SubscriptionId subscription) {
  if (!state_) return;
  context = context.as(pastry::kScribeApplication);
  Topic* topic = nullptr;
  LocalSubscriber* local = state_->local(subscription, &topic);
  state_->subscriptions.erase(subscription);
  if (local == nullptr) return;
  local->gone = true;
  state_->shared.touch(context, *topic);
}

void Scribe::consumed(Context context, SubscriptionId subscription, std::size_t count) {
  if (!state_) return;
  context = context.as(pastry::kScribeApplication);
  Topic* topic = nullptr;
  LocalSubscriber* local = state_->local(subscription, &topic);
  if (local == nullptr) return;
  local->credit += count;
  if (local->cursor < topic->log.end()) state_->shared.touch(context, *topic);
}

Result<std::uint64_t> Scribe::publish(Context context, std::string_view topic, Payload payload,
                                      PublishCallback done) {
  if (auto valid = check_name(topic); !valid) return tl::unexpected(valid.error());
  context = context.as(pastry::kScribeApplication);
  return state().publishing.publish(context, topic, std::move(payload), std::move(done));
}

std::size_t Scribe::unacknowledged(std::string_view topic) const {
  return state_ ? state_->publishing.unacknowledged(group(topic)) : 0;
}

TopicView Scribe::topic_info(Context context, std::string_view topic) const {
  TopicView view;
  view.group = group(topic);
  const Topic* entry = state_ ? state_->shared.find(view.group) : nullptr;
  if (entry == nullptr) return view;
  view.name = entry->name;
  view.in_tree = true;
  view.attached = entry->attached();
  view.root = entry->place == Place::root;
  view.path = entry->path;
  if (view.attached) view.root_id = view.root ? context.self_id() : entry->path.front();
  if (entry->parent != kNoHandle) view.parent = context.id(entry->parent);
  for (const auto& [handle, child] : entry->children) view.children.push_back(context.id(handle));
  view.subscribers = entry->locals.size();
  view.head = entry->head;
  view.received = entry->received;
  view.delivered = entry->delivered;
  view.duplicates = entry->duplicates;
  view.resent = entry->resent;
  view.lost = entry->lost;
  view.parent_changes = entry->parent_changes;
  view.buffered_bytes = entry->log.bytes();
  return view;
}

void Scribe::collect_tree(Context context, std::string_view topic, TreeCallback done) {
  context = context.as(pastry::kScribeApplication);
  state().walks.collect(context, group(topic), std::move(done));
}

std::uint64_t Scribe::buffered_bytes() const { return state_ ? state_->shared.bytes : 0; }

bool Scribe::idle() const { return state_ == nullptr; }

std::size_t Scribe::topic_count() const { return state_ ? state_->shared.topics().size() : 0; }

// --- Upcalls ------------------------------------------------------------------------------------

ForwardDecision Scribe::forward(Context context, pastry::ForwardedMessage& message) {
  // Only joins of others are of interest on their way; at the root deliver() takes them, because
  // only deliver() means that this node is the root.
  if (message.previous == kNoHandle || message.source == context.self() ||
      message.next_hop == context.self() ||
      frame_kind(message.payload.view()) != FrameKind::control) {
    return ForwardDecision::pass;
  }
  const Result<Control> control = decode_control(message.payload.view());
  const Join* join = control ? std::get_if<Join>(&*control) : nullptr;
  if (join == nullptr || join->group != message.key) return ForwardDecision::pass;
  if (context.is_earlier_self(message.source)) return ForwardDecision::stop;
  return state().membership.join_passes(context, message.source, *join, false)
             ? ForwardDecision::stop
             : ForwardDecision::pass;
}

void Scribe::deliver(Context context, const pastry::Delivery& message) {
  if (context.is_earlier_self(message.source)) return;
  const auto kind = frame_kind(message.payload.view());
  if (kind == FrameKind::publish) {
    state().root.publish(context, message.source, message.payload, true);
    return;
  }
  if (kind != FrameKind::control) return;
  const Result<Control> control = decode_control(message.payload.view());
  if (!control) return;
  if (const auto* query = std::get_if<TreeQuery>(&*control)) {
    state().walks.query(context, message.source, *query);
  } else if (const auto* join = std::get_if<Join>(&*control)) {
    if (join->group != message.key) return;
    State& my = state();
    my.membership.join_passes(context, message.source, *join, true);
    // A join of this node's own that comes back, or of another: either way this is the root.
    if (Topic* topic = my.shared.find(join->group)) my.root.become(context, *topic);
  }
}

void Scribe::update(Context context, Handle, pastry::PeerChange) {
  if (!state_) return;
  for (auto& [group, topic] : state_->shared.topics())
    state_->membership.check_root(context, *topic);
}

void Scribe::activity(Context context, bool active) {
  if (!state_) return;
  for (auto& [group, topic] : state_->shared.topics()) {
    if (!active) {
      state_->membership.rejoin(context, *topic, Duration::zero(), false);
    } else if (topic->place == Place::joining) {
      topic->join_at = context.now();
    }
  }
  state_->shared.tick_soon(context, true);
}

void Scribe::peer_gone(Context context, Handle node) {
  if (!state_) return;
  state_->membership.peer_gone(context, node);
  state_->publishing.peer_gone(context, node);
}

void Scribe::receive(Context context, const pastry::Incoming& message) {
  const auto kind = frame_kind(message.payload.view());
  if (!kind) return;
  State& my = state();
  switch (*kind) {
    case FrameKind::segment:
      if (auto segment = decode_segment(message.payload)) {
        my.stream.segment(context, message.from, std::move(*segment));
      }
      break;
    case FrameKind::acks:
      if (const auto acks = decode_acks(message.payload.view())) {
        for (const Ack& ack : *acks) my.stream.ack(context, message.from, ack);
      }
      break;
    case FrameKind::publish:
      my.root.publish(context, message.from, message.payload, false);
      break;
    case FrameKind::publish_ack:
      if (const auto ack = decode_publish_ack(message.payload.view())) {
        my.publishing.acknowledged(context, message.from, *ack);
      }
      break;
    case FrameKind::beats:
      if (const auto beats = decode_beats(message.payload.view())) {
        for (const Beat& beat : *beats) my.membership.beat(context, message.from, beat);
      }
      break;
    case FrameKind::control:
      my.control(context, message);
      break;
  }
}

void Scribe::State::control(Context context, const pastry::Incoming& message) {
  const Result<Control> control = decode_control(message.payload.view());
  if (!control) return;
  const Handle from = message.from;
  if (const auto* accepted = std::get_if<JoinAccepted>(&*control)) {
    membership.accepted(context, from, *accepted);
  } else if (const auto* refused = std::get_if<JoinRefused>(&*control)) {
    membership.refused(context, from, *refused);
  } else if (const auto* leave = std::get_if<Leave>(&*control)) {
    membership.left(context, from, leave->group);
  } else if (const auto* detach = std::get_if<Detach>(&*control)) {
    membership.detached(context, from, detach->group);
  } else if (const auto* changed = std::get_if<PathChanged>(&*control)) {
    membership.path_changed(context, from, *changed);
  } else if (const auto* answer = std::get_if<TreeAnswer>(&*control)) {
    walks.answered(context, *answer);
  } else if (const auto* walk = std::get_if<TreeWalk>(&*control)) {
    if (message.request != 0) walks.walk(context, message, *walk);
  }
}

void Scribe::replied(Context context, pastry::OperationId operation,
                     const Result<Payload>& answer) {
  if (state_) state_->walks.replied(context, operation, answer);
}

// --- Work ---------------------------------------------------------------------------------------

void Scribe::timer(Context context, std::uint64_t cookie) {
  if (!state_) return;
  if (cookie == kFlushCookie) {
    state_->flush(context);
  } else if (cookie == kTickCookie) {
    state_->tick(context);
    // A node that has left its last topic is as small as one that never had any.
    if (state_->idle()) state_.reset();
  }
}

void Scribe::State::flush(Context context) {
  shared.flush_began();
  publishing.flush(context);
  for (const Key& group : shared.take_touched()) {
    Topic* topic = shared.find(group);
    if (topic == nullptr) continue;
    topic->dirty = false;
    stream.pump(context, *topic);
    root.report(context, *topic);
    membership.prune(context, *topic);
  }
}

void Scribe::State::tick(Context context) {
  shared.tick_began();
  std::map<Handle, std::vector<Ack>> acks;
  std::map<Handle, std::vector<Beat>> beats;
  bool busy = false;
  std::vector<Key> idle_roots;
  for (auto& [group, topic] : shared.topics()) {
    membership.tick(context, *topic);
    root.tick(context, *topic);
    stream.tick(context, *topic, acks, beats);
    busy = busy || !topic->attached();
    if (topic->children.empty() && topic->locals.empty()) idle_roots.push_back(group);
  }
  for (const Key& group : idle_roots) membership.prune(context, *shared.find(group));
  const auto send_all = [&](const auto& entries, auto&& encode) {
    for (const auto& [handle, list] : entries) {
      for (std::size_t at = 0; at < list.size(); at += kEntriesMax) {
        const std::size_t count = std::min(kEntriesMax, list.size() - at);
        static_cast<void>(context.send(handle, encode({list.data() + at, count})));
      }
    }
  };
  send_all(acks, [](std::span<const Ack> part) { return encode_acks(part); });
  send_all(beats, [](std::span<const Beat> part) { return encode_beats(part); });
  publishing.tick(context);
  walks.tick(context);
  if (!shared.topics().empty() || !publishing.idle() || !walks.idle()) {
    shared.tick_soon(context, busy);
  }
}

void Scribe::mark_handles(pastry::Directory& directory) const {
  if (!state_) return;
  for (const auto& [group, topic] : state_->shared.topics()) {
    if (topic->parent != kNoHandle) directory.mark(topic->parent);
    for (const auto& [handle, child] : topic->children) directory.mark(handle);
    for (const auto& [key, seen] : topic->seen) {
      if (seen.reply_to != kNoHandle) directory.mark(seen.reply_to);
    }
    for (const WaitingPublish& waiting : topic->waiting) directory.mark(waiting.from);
  }
  state_->publishing.mark_handles(directory);
  state_->walks.mark_handles(directory);
}

}  // namespace scribe
