#include "scribe/publishing.h"

#include <algorithm>

namespace scribe {
namespace {

using pastry::ErrorCode;
using pastry::fail;
using std::chrono::milliseconds;
using std::chrono::minutes;

// What goes into one frame unless a single message is larger.
constexpr std::size_t kFrameMessages = 128;
constexpr std::size_t kFrameBytes = 24 * 1024;
// Sent and not yet accepted by the root.
constexpr std::uint64_t kFlyingMessages = 512;
constexpr std::size_t kFlyingBytes = 1U << 20;
constexpr Duration kRepeat = milliseconds(500);
// Silent repetitions after which the root is looked for again.
constexpr int kSilentMax = 3;
// An idle publisher's numbering is remembered so long.
constexpr Duration kForget = minutes(10);

}  // namespace

Publishing::Publisher* Publishing::find_or_create(Context context, const Key& group,
                                                  std::string_view topic) {
  const auto found = publishers_.find(group);
  if (found != publishers_.end()) return &found->second;
  if (publishers_.size() >= shared_.settings().topics_max) return nullptr;
  Publisher& publisher = publishers_[group];
  publisher.name = topic;
  publisher.session = context.random().next();
  publisher.progress = context.now();
  return &publisher;
}

Result<std::uint64_t> Publishing::publish(Context context, std::string_view topic, Payload payload,
                                          PublishCallback done) {
  const Settings& settings = shared_.settings();
  if (payload.size() > kMessageMax) {
    return fail(ErrorCode::too_large,
                "message is larger than " + std::to_string(kMessageMax) + " bytes");
  }
  Publisher* publisher = find_or_create(context, shared_.group(topic), topic);
  if (publisher == nullptr) return fail(ErrorCode::full, "too many topics at this node");
  const bool full = publisher->queue.size() >= settings.publish_messages ||
                    publisher->bytes + payload.size() > settings.publish_bytes;
  if (full && !publisher->queue.empty()) {
    return fail(ErrorCode::full, "too many messages wait for acknowledgement");
  }
  if (publisher->queue.empty()) {
    publisher->progress = context.now();
    publisher->repeat_at = context.now() + kRepeat;
    publisher->silent = 0;
  }
  publisher->bytes += payload.size();
  publisher->queue.push_back({std::move(payload), std::move(done)});
  wake(context, *publisher);
  return publisher->last();
}

std::size_t Publishing::unacknowledged(const Key& group) const {
  const auto found = publishers_.find(group);
  return found == publishers_.end() ? 0 : found->second.queue.size();
}

void Publishing::wake(Context context, Publisher& publisher) {
  publisher.dirty = dirty_ = true;
  shared_.flush_soon(context);
  shared_.tick_soon(context, true);
}

// --- Sending ------------------------------------------------------------------------------------

void Publishing::flush(Context context) {
  if (!dirty_) return;
  dirty_ = false;
  for (auto& [group, publisher] : publishers_) {
    if (!std::exchange(publisher.dirty, false)) continue;
    send_frames(context, group, publisher);
  }
}

void Publishing::send_frames(Context context, const Key& group, Publisher& publisher) {
  while (publisher.sent < publisher.last()) {
    const std::uint64_t flying = publisher.sent - publisher.received;
    // Only one frame searches the root, so that order does not depend on routes.
    const bool searching = publisher.root == kNoHandle && flying > 0;
    if (searching || flying >= kFlyingMessages || publisher.flying >= kFlyingBytes) return;
    std::uint64_t to = publisher.sent;
    std::size_t bytes = 0;
    while (to < publisher.last() && to - publisher.sent < kFrameMessages) {
      const std::size_t size = publisher.at(to + 1).payload.size() + 4;
      if (to > publisher.sent && bytes + size > kFrameBytes) break;
      bytes += size;
      ++to;
    }
    send_frame(context, group, publisher, publisher.sent, to);
    for (std::uint64_t i = publisher.sent; i < to; ++i) {
      publisher.flying += publisher.at(i + 1).payload.size();
    }
    publisher.sent = to;
  }
}

// Messages from + 1 … to; none: only asks.
void Publishing::send_frame(Context context, const Key& group, Publisher& publisher,
                            std::uint64_t from, std::uint64_t to) {
  Publish publish{group, publisher.session, from + 1, publisher.base, {}, {}};
  std::vector<Payload> messages;
  messages.reserve(to - from);
  for (std::uint64_t i = from; i < to; ++i) messages.push_back(publisher.at(i + 1).payload);
  const bool routed = publisher.root == kNoHandle;
  if (routed) publish.name = publisher.name;
  Payload frame = encode_publish(publish, messages);
  // What is not taken now is repeated like something lost.
  if (routed) {
    static_cast<void>(context.route(group, std::move(frame)));
  } else {
    static_cast<void>(context.send(publisher.root, std::move(frame)));
  }
}

// --- Acknowledgements ---------------------------------------------------------------------------

void Publishing::go_back(Publisher& publisher, std::uint64_t received) {
  publisher.received = publisher.sent = received;
  publisher.flying = 0;
}

void Publishing::acknowledged(Context context, Handle from, const PublishAck& ack) {
  const auto found = publishers_.find(ack.group);
  if (found == publishers_.end() || found->second.session != ack.session) return;
  Publisher& publisher = found->second;
  if (ack.not_root) {
    if (publisher.root != from) return;
    publisher.root = kNoHandle;
    go_back(publisher, publisher.base);
    wake(context, publisher);
    return;
  }
  if (publisher.root == kNoHandle) publisher.root = from;
  if (publisher.root != from) return;
  publisher.silent = 0;
  const std::uint64_t received = std::clamp(ack.received, publisher.base, publisher.last());
  if (received > publisher.received) {
    publisher.progress = context.now();
    publisher.repeat_at = context.now() + kRepeat;
    for (std::uint64_t i = publisher.received; i < std::min(received, publisher.sent); ++i) {
      publisher.flying -= publisher.at(i + 1).payload.size();
    }
    publisher.received = received;
    if (publisher.sent < received) go_back(publisher, received);
  }
  if (ack.resend) go_back(publisher, received);
  wake(context, publisher);
  complete(context, ack.group, std::min(ack.acknowledged, received));
}

void Publishing::complete(Context context, const Key& group, std::uint64_t upto) {
  for (;;) {
    // Looked up each time: a callback may publish, and so move things.
    Publisher& publisher = publishers_.at(group);
    if (publisher.base >= upto || publisher.queue.empty()) return;
    publisher.progress = context.now();
    Waiting waiting = std::move(publisher.queue.front());
    publisher.queue.pop_front();
    publisher.bytes -= waiting.payload.size();
    ++publisher.base;
    if (waiting.done) waiting.done(context, {});
  }
}

void Publishing::fail_all(Context context, const Key& group) {
  Publisher& publisher = publishers_.at(group);
  std::deque<Waiting> failed = std::exchange(publisher.queue, {});
  publisher.base += failed.size();
  publisher.bytes = 0;
  publisher.root = kNoHandle;
  // Numbers are never used twice, and subscribers must not wait for those that failed.
  publisher.session = context.random().next();
  go_back(publisher, publisher.base);
  for (Waiting& waiting : failed) {
    if (waiting.done) {
      waiting.done(context, fail(ErrorCode::timed_out, "the topic's root did not acknowledge"));
    }
  }
}

void Publishing::peer_gone(Context context, Handle node) {
  for (auto& [group, publisher] : publishers_) {
    if (publisher.root != node) continue;
    publisher.root = kNoHandle;
    go_back(publisher, publisher.base);
    wake(context, publisher);
  }
}

// --- Upkeep -------------------------------------------------------------------------------------

void Publishing::tick(Context context) {
  const Time now = context.now();
  std::vector<Key> failed;
  for (auto entry = publishers_.begin(); entry != publishers_.end();) {
    auto& [group, publisher] = *entry;
    if (publisher.queue.empty()) {
      entry = publisher.progress + kForget <= now ? publishers_.erase(entry) : std::next(entry);
      continue;
    }
    shared_.tick_soon(context, true);
    if (publisher.progress + shared_.settings().publish_deadline <= now) {
      failed.push_back(group);
    } else if (publisher.repeat_at <= now) {
      ++publisher.silent;
      publisher.repeat_at = now + kRepeat * (1 << std::min(publisher.silent, 3));
      if (publisher.silent >= kSilentMax && publisher.root != kNoHandle) {
        publisher.root = kNoHandle;
        go_back(publisher, publisher.base);
      } else if (publisher.sent > publisher.received || publisher.root == kNoHandle) {
        go_back(publisher, publisher.root == kNoHandle ? publisher.base : publisher.received);
      } else {
        send_frame(context, group, publisher, publisher.sent, publisher.sent);
      }
      wake(context, publisher);
    }
    ++entry;
  }
  for (const Key& group : failed) fail_all(context, group);
}

void Publishing::mark_handles(pastry::Directory& directory) const {
  for (const auto& [group, publisher] : publishers_) {
    if (publisher.root != kNoHandle) directory.mark(publisher.root);
  }
}

}  // namespace scribe
