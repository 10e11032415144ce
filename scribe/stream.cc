#include "scribe/stream.h"

#include <algorithm>
#include <utility>

namespace scribe {
namespace {

using std::chrono::milliseconds;

constexpr Duration kRepeatFirst = milliseconds(250);
constexpr Duration kRepeatMost = milliseconds(2000);
// Least time between two requests to send again from the same place.
constexpr Duration kResendPause = milliseconds(100);

}  // namespace

PublisherSeen& remember_publisher(Topic& topic, const PublisherKey& key,
                                  std::size_t publishers_max) {
  const auto found = topic.seen.find(key);
  if (found != topic.seen.end()) return found->second;
  if (topic.seen.size() >= publishers_max) {
    topic.seen.erase(std::min_element(
        topic.seen.begin(), topic.seen.end(),
        [](const auto& a, const auto& b) { return a.second.touched < b.second.touched; }));
  }
  return topic.seen[key];
}

// --- Arrival ------------------------------------------------------------------------------------

void Stream::segment(Context context, Handle from, Segment segment) {
  Topic* topic = shared_.find(segment.group);
  if (topic == nullptr || topic->parent != from) {
    // Data is taken from the present parent only. While joining, the sender may be about to become
    // it; it will send this again.
    if (topic == nullptr || topic->place != Place::joining) {
      Shared::send(context, from, Leave{segment.group});
    }
    return;
  }
  topic->parent_heard = context.now();
  topic->ack_due = true;
  shared_.touch(context, *topic);
  if (segment.last() <= topic->head) {
    topic->duplicates += segment.count();
    return;
  }
  if (segment.previous > topic->head && topic->skip_to < segment.previous) {
    // A hole that the parent can still fill.
    if (topic->resend_head != topic->head || topic->resend_at <= context.now()) {
      topic->want_resend = true;
      topic->resend_head = topic->head;
      topic->resend_at = context.now() + kResendPause;
    }
    return;
  }
  accept(context, *topic, std::move(segment));
}

void Stream::accept(Context context, Topic& topic, Segment segment) {
  LogEntry entry;
  if (segment.previous > topic.head) {
    entry.gap = true;
    entry.gap_after = topic.head;
    if (segment.previous.offset > topic.head.offset) {
      entry.missing = segment.previous.offset - topic.head.offset;
    }
    topic.gap_index = topic.log.end();
  } else if (segment.first <= topic.head && segment.first.epoch == topic.head.epoch) {
    entry.skip = static_cast<std::size_t>(topic.head.offset - segment.first.offset + 1);
  }
  entry.segment = std::move(segment);
  if (note_publisher(topic, entry)) topic.duplicates += entry.skip;
  topic.received += entry.segment.count() - entry.skip;
  append(context, topic, std::move(entry));
}

// Compares the segment with what its publisher sent before: repeated messages are skipped, missing
// ones reported unless a gap by position covers them. True if something is skipped.
bool Stream::note_publisher(Topic& topic, LogEntry& entry) {
  const Segment& segment = entry.segment;
  const PublisherKey key{segment.publisher, segment.session};
  const bool known = topic.seen.contains(key);
  PublisherSeen& seen = remember_publisher(topic, key, shared_.settings().publishers_max);
  if (known) {
    const std::uint64_t expected = seen.last + 1;
    if (segment.first_sequence < expected) {
      const std::uint64_t repeated = expected - segment.first_sequence;
      entry.skip = std::max(
          entry.skip, static_cast<std::size_t>(std::min<std::uint64_t>(repeated, segment.count())));
    } else if (segment.first_sequence > expected && seen.touched > topic.gap_index) {
      entry.gap = true;
      entry.gap_after = topic.head;
      entry.missing = segment.first_sequence - expected;
    }
  }
  seen.last = std::max(seen.last, segment.last_sequence());
  seen.touched = topic.log.end() + 1;
  return entry.skip > 0;
}

void Stream::append(Context context, Topic& topic, LogEntry entry) {
  if (std::exchange(topic.gap_due, false)) {
    if (!entry.gap) entry.gap_after = topic.gap_after;
    entry.gap = true;
    entry.missing += std::exchange(topic.gap_missing, 0);
    topic.gap_index = topic.log.end();
  }
  if (entry.gap) topic.lost += std::max<std::uint64_t>(entry.missing, 1);
  topic.head = entry.segment.last();
  topic.positioned = true;
  topic.traffic = context.now();
  shared_.bytes -= topic.log.bytes();
  topic.log.push(std::move(entry));
  shared_.bytes += topic.log.bytes();
  shared_.touch(context, topic);
}

void Stream::ack(Context context, Handle from, const Ack& ack) {
  Topic* topic = shared_.find(ack.group);
  const auto found =
      topic == nullptr ? std::map<Handle, Child>::iterator{} : topic->children.find(from);
  if (topic == nullptr || found == topic->children.end()) {
    Shared::send(context, from, Detach{ack.group});
    return;
  }
  Child& child = found->second;
  child.heard = context.now();
  topic->note_highest(ack.highest);
  if (!child.accepted) return;
  child.has_children = ack.has_children;
  child.window_messages = ack.window_messages;
  child.window_bytes = ack.window_bytes;
  if (child.received < ack.received) {
    child.received = ack.received;
    const std::uint64_t before = child.acked;
    child.acked = std::max(child.acked, topic->log.first());
    while (child.acked < topic->log.end() &&
           topic->log.at(child.acked).segment.last() <= child.received) {
      ++child.acked;
    }
    if (child.acked > before) {
      child.progress = context.now();
      child.repeats = 0;
      child.repeat_at = context.now() + kRepeatFirst;
    }
    child.next = std::max(child.next, child.acked);
  }
  if (ack.resend || child.recovering) child.next = child.acked;
  child.recovering = false;
  if (ack.fingerprint != topic->child_fingerprint && topic->attached() &&
      child.path_sent + shared_.heartbeat(context) / 2 <= context.now()) {
    child.path_sent = context.now();
    std::vector<NodeId> path = topic->path;
    path.push_back(context.self_id());
    Shared::send(context, from, PathChanged{topic->group, std::move(path)});
  }
  shared_.touch(context, *topic);
}

// --- Credit -------------------------------------------------------------------------------------

std::uint64_t Stream::released(const Topic& topic) {
  std::uint64_t index = topic.log.end();
  for (const auto& [handle, child] : topic.children) {
    if (child.accepted) index = std::min(index, child.acked);
  }
  for (const auto& [id, local] : topic.locals) {
    if (local.attached) index = std::min(index, local.cursor);
  }
  return index;
}

std::uint64_t Stream::kept(const Topic& topic) {
  std::uint64_t index = released(topic);
  for (const Hold& hold : topic.holds) index = std::min(index, hold.index);
  return index;
}

Stream::Window Stream::window(const Topic& topic) const {
  const Settings& settings = shared_.settings();
  const std::uint64_t from = kept(topic);
  const std::uint64_t messages = topic.log.messages(from, topic.log.end());
  const std::uint64_t bytes = topic.log.bytes(from, topic.log.end());
  if (messages > 0 && shared_.bytes > settings.node_bytes) return {};
  if (messages >= settings.window_messages || bytes >= settings.window_bytes) return {};
  return {static_cast<std::uint32_t>(settings.window_messages - messages),
          static_cast<std::uint32_t>(settings.window_bytes - bytes)};
}

bool Stream::has_room(const Topic& topic) const { return window(topic).messages > 0; }

void Stream::trim(Topic& topic) {
  const Settings& settings = shared_.settings();
  const bool over = shared_.bytes > settings.node_bytes;
  shared_.bytes -= topic.log.bytes();
  if (topic.log.trim(kept(topic), over ? 0 : settings.history_messages,
                     over ? 0 : settings.history_bytes)) {
    topic.trimmed = true;
  }
  shared_.bytes += topic.log.bytes();
}

// --- Onwards ------------------------------------------------------------------------------------

void Stream::pump(Context context, Topic& topic) {
  // Children first: they do not wait for what local subscribers do with a message.
  for (auto& [handle, child] : topic.children) {
    if (child.accepted) pump_child(context, topic, handle, child);
  }
  pump_locals(context, topic);
  trim(topic);
  if (topic.place == Place::attached) {
    const std::size_t full = shared_.settings().window_messages;
    const bool opened = topic.advertised_messages < full / 4 && window(topic).messages >= full / 2;
    if (topic.ack_due || opened) send_ack(context, topic);
  }
}

void Stream::pump_locals(Context context, Topic& topic) {
  for (auto& [id, local] : topic.locals) {
    if (!local.gone && !local.attached && topic.attached()) {
      local.attached = true;
      local.cursor = topic.log.end();
      local.from = topic.head;
      local.progress = context.now();
      local.subscriber->attached(context, topic.group);
    }
    pump_local(context, topic, id, local);
  }
  std::erase_if(topic.locals, [](const auto& entry) { return entry.second.gone; });
}

void Stream::pump_local(Context context, Topic& topic, SubscriptionId, LocalSubscriber& local) {
  while (!local.gone && local.attached && local.cursor < topic.log.end()) {
    const LogEntry& entry = topic.log.at(local.cursor);
    if (local.within == 0 && local.at == 0) {
      if (entry.gap) report_gap(context, topic, local, entry);
      local.at = entry.segment.bodies.offset + 4 * entry.segment.bodies.count;
      if (local.gone) return;
    }
    while (local.within < entry.segment.count() && !local.gone) {
      if (local.within >= entry.skip && local.credit == 0) return;
      deliver_next(context, topic, local, entry);
    }
    if (local.gone) return;
    ++local.cursor;
    local.within = local.at = 0;
    local.progress = context.now();
  }
}

void Stream::report_gap(Context context, Topic& topic, LocalSubscriber& local,
                        const LogEntry& entry) {
  local.subscriber->gap(context,
                        Gap{topic.group, entry.gap_after, entry.segment.first, entry.missing});
}

void Stream::deliver_next(Context context, Topic& topic, LocalSubscriber& local,
                          const LogEntry& entry) {
  const Segment& segment = entry.segment;
  const std::uint8_t* size_at =
      segment.frame.view().data() + segment.bodies.offset + 4 * local.within;
  const std::size_t size = size_at[0] | (std::size_t{size_at[1]} << 8) |
                           (std::size_t{size_at[2]} << 16) | (std::size_t{size_at[3]} << 24);
  const std::size_t number = local.within++;
  const std::size_t at = local.at;
  local.at += size;
  const Position position{segment.first.epoch, segment.first.offset + number};
  // A rewind for a child brings what was before a subscriber's time or what it has, too.
  if (number < entry.skip || position <= local.from) return;
  --local.credit;
  ++topic.delivered;
  local.subscriber->message(context, TopicMessage{segment.group, segment.publisher, segment.session,
                                                  segment.first_sequence + number, position,
                                                  segment.frame.part(at, size)});
}

void Stream::pump_child(Context context, Topic& topic, Handle handle, Child& child) {
  SegmentLog& log = topic.log;
  if (child.acked < log.first()) child.acked = log.first();
  child.next = std::max(child.next, child.acked);
  while (child.next < log.end() && log.messages(child.acked, child.next) < child.window_messages &&
         log.bytes(child.acked, child.next) < child.window_bytes) {
    send_segment(context, topic, handle, child, child.next);
    ++child.next;
  }
}

void Stream::send_segment(Context context, Topic& topic, Handle handle, Child& child,
                          std::uint64_t index) {
  const Segment& segment = topic.log.at(index).segment;
  if (index == child.acked) {
    if (child.received < segment.previous) {
      // What the child lacks before this is gone here; without this it would ask for ever.
      const Beat skip{topic.group, segment.previous, topic.child_fingerprint, topic.attached(),
                      true};
      static_cast<void>(context.send(handle, encode_beats({&skip, 1})));
    }
    child.repeat_at =
        context.now() +
        std::min<Duration>(kRepeatFirst * (1 << std::min(child.repeats, 3)), kRepeatMost);
    shared_.tick_soon(context, true);
  }
  child.sent = context.now();
  // A message that the network layer does not take is a lost one.
  static_cast<void>(context.send(handle, segment.frame));
}

Ack Stream::make_ack(Context context, Topic& topic) const {
  const Window room = window(topic);
  topic.advertised_messages = room.messages;
  topic.ack_sent = context.now();
  return {topic.group,
          topic.head,
          std::max(topic.head, topic.highest),
          room.messages,
          room.bytes,
          topic.fingerprint,
          std::exchange(topic.want_resend, false),
          !topic.children.empty()};
}

void Stream::send_ack(Context context, Topic& topic) {
  topic.ack_due = false;
  const Ack ack = make_ack(context, topic);
  static_cast<void>(context.send(topic.parent, encode_acks({&ack, 1})));
}

// --- Upkeep -------------------------------------------------------------------------------------

void Stream::tick(Context context, Topic& topic, std::map<Handle, std::vector<Ack>>& acks,
                  std::map<Handle, std::vector<Beat>>& beats) {
  const Time now = context.now();
  const Duration heartbeat = shared_.heartbeat(context);
  const Duration stall_limit = shared_.settings().stall_limit;
  std::vector<Handle> stalled;
  for (auto& [handle, child] : topic.children) {
    if (!child.accepted) continue;
    tick_child(context, topic, handle, child);
    if (child.progress + stall_limit <= now) stalled.push_back(handle);
    if (child.sent + heartbeat <= now) {
      child.sent = now;
      beats[handle].push_back(
          {topic.group, topic.head, topic.child_fingerprint, topic.attached(), false});
    }
  }
  for (const Handle handle : stalled) {
    Shared::send(context, handle, Detach{topic.group});
    membership_.drop_child(context, topic, handle, false);
  }
  for (auto& [id, local] : topic.locals) {
    if (local.cursor >= topic.log.end() || !local.attached) local.progress = now;
    if (local.progress + stall_limit / 2 > now) continue;
    // The subscriber loses its place.
    const std::uint64_t missing = topic.log.messages(local.cursor, topic.log.end()) - local.within;
    const Position before{topic.head.epoch, topic.head.offset + 1};
    const Segment& at = topic.log.at(local.cursor).segment;
    const Gap gap{topic.group, Position{at.first.epoch, at.first.offset + local.within - 1}, before,
                  missing};
    local.cursor = topic.log.end();
    local.within = local.at = 0;
    topic.lost += missing;
    shared_.touch(context, topic);
    if (!local.gone) local.subscriber->gap(context, gap);
  }
  std::erase_if(topic.locals, [](const auto& entry) { return entry.second.gone; });
  if (topic.place == Place::attached && topic.ack_sent + heartbeat <= now) {
    acks[topic.parent].push_back(make_ack(context, topic));
    topic.ack_due = false;
  }
  if (topic.traffic + shared_.settings().idle_limit <= now && topic.log.end() > topic.log.first()) {
    shared_.bytes -= topic.log.bytes();
    if (topic.log.trim(kept(topic), 0, 0)) topic.trimmed = true;
    shared_.bytes += topic.log.bytes();
  }
}

void Stream::tick_child(Context context, Topic& topic, Handle handle, Child& child) {
  if (child.acked < topic.log.first()) child.acked = topic.log.first();
  child.next = std::max(child.next, child.acked);
  if (child.acked == topic.log.end()) {
    child.progress = context.now();
    return;
  }
  if (child.next > child.acked && child.repeat_at <= context.now()) {
    ++child.repeats;
    ++topic.resent;
    child.recovering = true;
    send_segment(context, topic, handle, child, child.acked);
  }
}

}  // namespace scribe
