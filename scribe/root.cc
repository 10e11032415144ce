#include "scribe/root.h"

#include <algorithm>
#include <utility>

namespace scribe {
namespace {

// Publish frames kept while the epoch is being claimed; publishers repeat the others.
constexpr std::size_t kWaitingMax = 64;
// Frames accepted from a publisher before it is told without waiting for the children.
constexpr std::uint32_t kReportAfter = 8;

}  // namespace

void Root::become(Context context, Topic& topic) {
  if (topic.is_root()) return;
  if (topic.parent != kNoHandle) Shared::send(context, topic.parent, Leave{topic.group});
  topic.parent = kNoHandle;
  topic.place = Place::claiming;
  topic.rising = false;
  ++topic.join_number;
  claim(context, topic);
}

// Whoever comes from another tree of this topic (of a partition that healed, or made from a record
// that the registry lost) takes what is below its position for repeated. So the root goes on above
// it.
void Root::rise_above_children(Context context, Topic& topic) {
  if (topic.place != Place::root) return;
  if (topic.highest <= topic.given_out() || !may_rise(context, topic)) return;
  topic.place = Place::claiming;
  topic.rising = false;
  rise(context, topic);
}

void Root::rise(Context context, Topic& topic) {
  topic.rising = topic.rising || two_streams(topic);
  if (topic.highest.offset > 0) {
    topic.epoch_below = std::max(topic.epoch_below, topic.highest.epoch);
  }
  claim(context, topic);
}

// Whether there are messages here that whoever is above this root may lack: of the root itself, or
// of a root before it.
bool Root::two_streams(const Topic& topic) {
  if (topic.gave_out()) return true;
  if (topic.highest.offset == 0) return false;
  return topic.head.offset > 0 ||
         std::any_of(topic.children.begin(), topic.children.end(), [&](const auto& entry) {
           return entry.second.came_from < topic.highest.epoch;
         });
}

// Whoever always claims to be above it, or to have what it lacks, would keep it writing records and
// bring a gap before every message.
bool Root::may_rise(Context context, Topic& topic) const {
  if (context.now() < topic.rise_at) return false;
  topic.rise_at = context.now() + shared_.heartbeat(context);
  return true;
}

void Root::claim(Context context, Topic& topic) {
  const std::uint32_t number = ++topic.claim;
  const Position known = std::max(room_above(topic.head) ? topic.head : Position{}, topic.highest);
  if (shared_.registry() == nullptr) {
    start(context, topic, {next_epoch(known.epoch, context.wall_time(), context.random()), 0},
          false);
    return;
  }
  topic.claim_pending = true;
  ++shared_.claims;
  shared_.registry()->claim(
      context, topic.group, topic.name, known,
      [this, group = topic.group, number](Context later, const Result<RootRecord>& record) {
        claimed(later, group, number, record);
      });
}

void Root::claimed(Context context, const Key& group, std::uint32_t number,
                   const Result<RootRecord>& record) {
  --shared_.claims;
  Topic* topic = shared_.find(group);
  if (topic == nullptr || topic->claim != number) return;
  topic->claim_pending = false;
  if (topic->place != Place::claiming) return;
  if (Membership::gives_way(context, *topic)) {
    // Another became root while the registry was slow. What waits here was repeated there: numbered
    // a second time, and in a newer epoch if that claim was the faster one, it would make the other
    // rise above it and tell all of a gap.
    membership_.rejoin(context, *topic, Duration::zero(), false);
    membership_.send_join(context, *topic);
    return;
  }
  if (!record) {
    topic->claim_at = context.now() + context.random().jittered(shared_.heartbeat(context), 25);
    shared_.tick_soon(context, true);
    return;
  }
  if (topic->name.empty() && shared_.group(record->topic) == group) topic->name = record->topic;
  // Meanwhile somebody came who is above it.
  if (record->position.epoch <= topic->highest.epoch && may_rise(context, *topic)) {
    rise(context, *topic);
    return;
  }
  start(context, *topic, record->position, !record->made);
}

void Root::start(Context context, Topic& topic, const Position& claimed, bool succeeds) {
  // A false position, which it had from its parent when it was none.
  if (claimed.epoch <= topic.head.epoch || !room_above(topic.head)) {
    membership_.start_over(context, topic);
  }
  const Position known = std::max(topic.head, topic.highest);
  const bool begins = !topic.positioned || topic.head == Position{topic.epoch, 0};
  topic.epoch = claimed.epoch;
  topic.next_offset = std::max(claimed.offset, known.offset) + 1;
  topic.place = Place::root;
  topic.reported = topic.log.first();
  // With offset 0 the head says whose stream it was, but nothing of it came.
  topic.previous = topic.head.offset > 0 ? topic.head : Position{};
  topic.epoch_covered = topic.previous.epoch;
  topic.positioned = true;
  // Whoever begins at a root without a stream is owed nothing of earlier epochs.
  if (begins) topic.start = topic.head = {topic.epoch, 0};
  if (std::exchange(topic.rising, false)) {
    // Each side lacks what the other had.
    topic.note_gap(0);
    begin_hole(topic);
  } else {
    show_lack(context, topic);
  }
  // The former root's children are on their way; keep what they will ask for.
  if (succeeds || known.epoch > 0) {
    topic.holds.push_back({topic.log.end(), context.now() + 8 * shared_.heartbeat(context)});
  }
  membership_.attach(context, topic, kNoHandle, {});
  const std::vector<WaitingPublish> waited = topic.waiting;
  shared_.drop_waiting(topic);
  for (const WaitingPublish& waiting : waited) {
    const Result<Publish> publish = decode_publish(waiting.payload.view());
    if (publish) accept(context, topic, waiting.from, *publish, waiting.payload.view());
  }
}

// An offset that no message gets: the next segment shows all children that something is missing.
void Root::begin_hole(Topic& topic) {
  topic.head = topic.previous = {topic.epoch, topic.next_offset++};
  topic.epoch_covered = topic.epoch_below;
}

// A root in between may have given out, and acknowledged, messages that this one never had: while
// it had not yet the children of the root before it. Those who come here from that one lack them.
void Root::show_lack(Context context, Topic& topic) {
  // Above this root's epoch it cannot be shown before the root has risen.
  if (topic.epoch_below <= topic.epoch_covered || topic.epoch_below >= topic.epoch) return;
  const auto local_lacks = [&](const auto& entry) {
    return entry.second.attached && entry.second.from.epoch < topic.epoch_below;
  };
  const auto child_lacks = [&](const auto& entry) {
    return entry.second.came_from < topic.epoch_below;
  };
  const bool locals = std::any_of(topic.locals.begin(), topic.locals.end(), local_lacks);
  const bool children = std::any_of(topic.children.begin(), topic.children.end(), child_lacks);
  if (topic.gave_out() && ((!locals && !children) || !may_rise(context, topic))) return;
  if (locals) topic.note_gap(0);
  if (topic.gave_out()) {
    begin_hole(topic);
  } else {
    // The first segment can show it, and only to those who have nothing of that epoch.
    topic.previous = {topic.epoch_below, 0};
    topic.epoch_covered = topic.epoch_below;
  }
}

void Root::publish(Context context, Handle from, const Payload& payload, bool routed) {
  const Result<Publish> publish = decode_publish(payload.view());
  if (!publish) return;
  const auto group = publish->group;
  Topic* topic = routed ? shared_.find_or_create(context, group) : shared_.find(group);
  if (!routed && (topic == nullptr || !topic->is_root())) {
    const PublishAck not_root{group, publish->session, 0, 0, false, true};
    static_cast<void>(context.send(from, encode_publish_ack(not_root)));
    return;
  }
  if (topic == nullptr) return;  // too many topics here; the publisher tries until its deadline
  topic->traffic = context.now();
  if (topic->name.empty() && shared_.group(publish->name) == group) topic->name = publish->name;
  if (routed) become(context, *topic);
  if (topic->place == Place::claiming) {
    const bool room = shared_.bytes + payload.size() <= shared_.settings().node_bytes;
    if (!room || topic->waiting.size() >= kWaitingMax) return;
    shared_.bytes += payload.size();
    topic->waiting.push_back({from, payload});
    return;
  }
  accept(context, *topic, from, *publish, payload.view());
}

void Root::accept(Context context, Topic& topic, Handle from, const Publish& publish,
                  pastry::ByteView frame) {
  const PublisherKey key{context.id(from), publish.session};
  const bool known = topic.seen.contains(key);
  PublisherSeen& seen = remember_publisher(topic, key, shared_.settings().publishers_max);
  seen.reply_to = from;
  if (publish.base > seen.last) {
    // Another root had these; they did not come here while there still was a parent.
    if (known) topic.note_gap(publish.base - seen.last);
    seen.last = publish.base;
  }
  shared_.touch(context, topic);
  const std::uint64_t expected = seen.last + 1;
  if (publish.first_sequence > expected) {
    seen.hole = seen.report = true;
    return;
  }
  const std::uint64_t repeated = expected - publish.first_sequence;
  if (repeated >= publish.bodies.count) {
    topic.duplicates += publish.bodies.count;
    seen.report = true;
    return;
  }
  if (!stream_.has_room(topic)) {
    seen.stalled = true;
    return;
  }
  LogEntry entry;
  entry.segment = make_segment(publish, frame, static_cast<std::size_t>(repeated), key.first,
                               Position{topic.epoch, topic.next_offset}, topic.previous);
  seen.last = entry.segment.last_sequence();
  seen.touched = topic.log.end() + 1;
  if (++seen.unreported >= kReportAfter) seen.report = true;
  topic.next_offset += entry.segment.count();
  topic.received += entry.segment.count();
  stream_.append(context, topic, std::move(entry));
  topic.previous = topic.head;
}

void Root::report(Context context, Topic& topic) {
  rise_above_children(context, topic);
  if (topic.place != Place::root) return;
  show_lack(context, topic);
  const std::uint64_t released = Stream::released(topic);
  topic.reported = std::max(topic.reported, topic.log.first());
  for (; topic.reported < released; ++topic.reported) {
    const Segment& segment = topic.log.at(topic.reported).segment;
    const auto found = topic.seen.find({segment.publisher, segment.session});
    if (found == topic.seen.end()) continue;
    found->second.acknowledged = std::max(found->second.acknowledged, segment.last_sequence());
    found->second.report = true;
  }
  const bool room = stream_.has_room(topic);
  for (auto& [key, seen] : topic.seen) {
    if (seen.reply_to == kNoHandle) continue;
    if (seen.stalled && room) {
      seen.stalled = false;
      seen.hole = seen.report = true;
    }
    if (seen.report) send_report(context, topic, key, seen);
    if (seen.unreported > 0) shared_.tick_soon(context, true);
  }
}

void Root::send_report(Context context, const Topic& topic, const PublisherKey& key,
                       PublisherSeen& seen) {
  // Nothing of this publisher is waiting for a child any more.
  if (seen.touched <= topic.reported) seen.acknowledged = seen.last;
  seen.acknowledged = std::min(seen.acknowledged, seen.last);
  const PublishAck ack{topic.group, key.second, seen.last, seen.acknowledged, seen.hole, false};
  static_cast<void>(context.send(seen.reply_to, encode_publish_ack(ack)));
  seen.report = seen.hole = false;
  seen.unreported = 0;
}

void Root::tick(Context context, Topic& topic) {
  if (topic.place == Place::claiming && !topic.claim_pending && topic.claim_at <= context.now()) {
    claim(context, topic);
  }
  if (topic.place != Place::root) return;
  bool due = topic.highest > topic.given_out() || topic.epoch_below > topic.epoch_covered;
  for (auto& [key, seen] : topic.seen) {
    if (seen.unreported > 0) due = seen.report = true;
  }
  if (due) shared_.touch(context, topic);
}

}  // namespace scribe
