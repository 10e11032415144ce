#include "scribe/membership.h"

#include <algorithm>
#include <utility>

namespace scribe {
namespace {

constexpr int kRewindsMax = 32;

// Whether join number `a` is older than `b`; numbers wrap.
bool older(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

}  // namespace

// --- Child's side -------------------------------------------------------------------------------

void Membership::send_join(Context context, Topic& topic) {
  const Duration heartbeat = shared_.heartbeat(context);
  const int doublings = std::min(topic.join_attempts, 4);
  topic.join_at = context.now() + context.random().jittered(heartbeat * (1 << doublings), 25);
  shared_.tick_soon(context, true);
  if (!context.active()) return;
  ++topic.join_attempts;
  ++topic.join_number;
  const auto [positioned, position] =
      topic.positioned ? std::pair(true, topic.head) : wanted_start(topic);
  const Join join{topic.group, topic.name, topic.join_number, positioned, position};
  // A refusal (too much pending) is a lost join: it is sent again.
  static_cast<void>(context.route(topic.group, encode_control(join)));
}

void Membership::rejoin(Context context, Topic& topic, Duration delay, bool tell_parent) {
  if (topic.parent != kNoHandle && tell_parent) {
    Shared::send(context, topic.parent, Leave{topic.group});
  }
  topic.parent = kNoHandle;
  // Its publishers ask again, and are told where the root is.
  shared_.drop_waiting(topic);
  topic.place = Place::joining;
  topic.join_attempts = 0;
  topic.join_at = context.now() + delay;
  // An acceptance of an earlier join must not attach the node to a parent it has given up.
  ++topic.join_number;
  shared_.tick_soon(context, true);
}

void Membership::accepted(Context context, Handle from, const JoinAccepted& accepted) {
  Topic* topic = shared_.find(accepted.group);
  if (topic == nullptr) {
    Shared::send(context, from, Leave{accepted.group});
    return;
  }
  if (topic->place != Place::joining || accepted.number != topic->join_number) return;
  const bool loop = std::find(accepted.path.begin(), accepted.path.end(), context.self_id()) !=
                    accepted.path.end();
  if (loop || accepted.path.empty() || from == context.self() ||
      accepted.path.size() > shared_.settings().path_max) {
    Shared::send(context, from, Leave{accepted.group});
    return;
  }
  if (!topic->positioned) {
    topic->positioned = true;
    topic->start = topic->head = accepted.start;
  }
  ++topic->parent_changes;
  attach(context, *topic, from, accepted.path);
  rewind_if_wanted(context, *topic);
}

std::pair<bool, Position> Membership::wanted_start(const Topic& topic) {
  std::pair<bool, Position> wanted{false, {}};
  for (const auto& [handle, child] : topic.children) {
    if (!child.has_position) continue;
    if (!wanted.first || child.received < wanted.second) wanted = {true, child.received};
  }
  return wanted;
}

// Orphans of a dead forwarder come one by one to a node that is new in the tree. If one of them
// needs more than this node asked its parent for, it asks again from there.
void Membership::rewind_if_wanted(Context context, Topic& topic) {
  if (topic.place != Place::attached || topic.trimmed || topic.rewinds >= kRewindsMax) return;
  const auto [wanted, position] = wanted_start(topic);
  if (!wanted || position >= topic.start) return;
  for (const auto& [id, local] : topic.locals) {
    if (local.attached && local.cursor < topic.log.end()) return;
  }
  // Subscribers have all up to the head; the new parent may also have messages below it that came
  // from another root, and those are not for them any more: a hole above the head stands for them.
  // The root may be one that stands below them. It learns from here alone where they stand, and
  // goes on above; what it gave out before then is lost to them, and such a hole shows that, too.
  for (auto& [id, local] : topic.locals) {
    if (!local.attached) continue;
    local.from = std::max(local.from, topic.head);
    topic.note_highest(local.from);
  }
  ++topic.rewinds;
  topic.start = topic.head = position;
  shared_.bytes -= topic.log.bytes();
  topic.log.clear();
  for (auto& [handle, child] : topic.children) child.acked = child.next = topic.log.end();
  rejoin(context, topic, Duration::zero(), true);
  send_join(context, topic);
}

void Membership::attach(Context context, Topic& topic, Handle parent, std::vector<NodeId> path) {
  topic.parent = parent;
  topic.parent_heard = topic.parent_attached = context.now();
  topic.join_attempts = 0;
  if (parent != kNoHandle) topic.place = Place::attached;
  topic.ack_due = parent != kNoHandle;
  // Who is above us now cannot be below us.
  std::vector<Handle> above;
  for (const auto& [handle, child] : topic.children) {
    const NodeId& id = context.id(handle);
    if (handle == parent || std::find(path.begin(), path.end(), id) != path.end()) {
      above.push_back(handle);
    }
  }
  for (const Handle handle : above) {
    if (handle != parent) Shared::send(context, handle, Detach{topic.group});
    topic.children.erase(handle);
  }
  set_path(context, topic, std::move(path));
  for (auto& [id, local] : topic.locals) {
    if (!local.attached) local.cursor = topic.log.end();
  }
  shared_.touch(context, topic);
}

void Membership::set_path(Context context, Topic& topic, std::vector<NodeId> path) {
  topic.path = std::move(path);
  topic.fingerprint = path_fingerprint(topic.path);
  topic.path.push_back(context.self_id());
  topic.child_fingerprint = path_fingerprint(topic.path);
  for (auto& [handle, child] : topic.children) {
    if (!child.accepted) {
      send_accepted(context, topic, handle, child);
    } else {
      send_path(context, topic, handle, child);
    }
  }
  topic.path.pop_back();
}

void Membership::send_path(Context context, Topic& topic, Handle handle, Child& child) {
  child.path_sent = child.sent = context.now();
  Shared::send(context, handle, PathChanged{topic.group, topic.path});
}

void Membership::refused(Context context, Handle, const JoinRefused& refused) {
  Topic* topic = shared_.find(refused.group);
  if (topic == nullptr || topic->place != Place::joining || refused.number != topic->join_number) {
    return;
  }
  if (refused.reason == JoinRefusal::position) start_over(context, *topic);
  // After a loop the one who refused looks for a better place itself; the others keep the back-off.
  if (refused.reason == JoinRefusal::loop || refused.reason == JoinRefusal::position) {
    const Duration pause = shared_.short_period(context);
    topic->join_at = context.now() + context.random().between(pause / 4, pause);
    shared_.tick_soon(context, true);
  }
}

void Membership::start_over(Context context, Topic& topic) {
  for (const auto& [handle, child] : topic.children) {
    Shared::send(context, handle, Detach{topic.group});
  }
  topic.children.clear();
  topic.holds.clear();
  shared_.bytes -= topic.log.bytes();
  topic.log.clear();
  for (auto& [id, local] : topic.locals) {
    local.from = {};
    local.cursor = topic.log.end();
    local.within = local.at = 0;
  }
  topic.note_gap(0);
  topic.positioned = topic.trimmed = false;
  topic.start = topic.head = topic.highest = topic.skip_to = topic.resend_head = {};
  topic.epoch = topic.epoch_below = topic.epoch_covered = 0;
}

void Membership::detached(Context context, Handle from, const Key& group) {
  Topic* topic = shared_.find(group);
  if (topic == nullptr || topic->place != Place::attached || topic->parent != from) return;
  rejoin(context, *topic, context.random().between(Duration::zero(), shared_.short_period(context)),
         false);
}

void Membership::path_changed(Context context, Handle from, const PathChanged& changed) {
  Topic* topic = shared_.find(changed.group);
  if (topic == nullptr || topic->place != Place::attached || topic->parent != from) return;
  topic->parent_heard = context.now();
  const bool loop =
      std::find(changed.path.begin(), changed.path.end(), context.self_id()) != changed.path.end();
  if (loop || changed.path.empty() || changed.path.size() > shared_.settings().path_max) {
    rejoin(context, *topic,
           context.random().between(Duration::zero(), shared_.short_period(context)), true);
    return;
  }
  if (changed.path == topic->path) return;
  attach(context, *topic, from, changed.path);
}

void Membership::beat(Context context, Handle from, const Beat& beat) {
  Topic* topic = shared_.find(beat.group);
  if (topic == nullptr || topic->parent != from) {
    // Not our parent (any more); while joining it may be about to become it.
    if (topic == nullptr || topic->place != Place::joining) {
      Shared::send(context, from, Leave{beat.group});
    }
    return;
  }
  topic->parent_heard = context.now();
  if (beat.attached) topic->parent_attached = context.now();
  if (beat.skip && topic->skip_to < beat.position) topic->skip_to = beat.position;
  if (beat.fingerprint != topic->fingerprint) topic->ack_due = true;
  if (topic->ack_due) shared_.touch(context, *topic);
}

// --- Parent's side ------------------------------------------------------------------------------

bool Membership::join_passes(Context context, Handle child, const Join& join, bool as_root) {
  if (child == context.self()) return false;
  if (join.name.empty() || shared_.group(join.name) != join.group) {
    refuse(context, child, join, JoinRefusal::invalid);
    return true;
  }
  Topic* topic = shared_.find(join.group);
  const Position known = topic != nullptr ? topic->known() : Position{};
  const bool believed = !join.has_position || believable(join.position, known);
  if (!believed && !as_root) return false;  // the root knows best
  if (topic == nullptr) topic = shared_.find_or_create(context, join.group);
  if (topic == nullptr) {
    refuse(context, child, join, JoinRefusal::full);
    return true;
  }
  if (topic->name.empty()) topic->name = join.name;
  if (!believed) {
    // Before the record has told its epoch it does not know either; the child tries again.
    if (topic->place == Place::root) refuse(context, child, join, JoinRefusal::position);
    return true;
  }
  if (!as_root && topic->place == Place::attached &&
      (child == topic->parent || topic->on_path(context.id(child)))) {
    // Who is above us has lost its place and routes through us: so we are nearer to the root, and
    // our own path is no longer one. It tries again when we have a better one.
    refuse(context, child, join, JoinRefusal::loop);
    rejoin(context, *topic, Duration::zero(), true);
    send_join(context, *topic);
    return true;
  }
  if (!add_child(context, *topic, child, join)) {
    refuse(context, child, join, JoinRefusal::full);
    return true;
  }
  rewind_if_wanted(context, *topic);
  if (!as_root && topic->place == Place::joining && topic->join_attempts == 0 &&
      topic->join_at <= context.now()) {
    send_join(context, *topic);
  }
  return true;
}

bool Membership::add_child(Context context, Topic& topic, Handle child, const Join& join) {
  const auto found = topic.children.find(child);
  if (found != topic.children.end() && older(join.number, found->second.join_number)) return true;
  if (found == topic.children.end()) {
    if (topic.children.size() >= shared_.settings().children_max) return false;
    // A restarted node replaces its former self.
    std::erase_if(topic.children,
                  [&](const auto& entry) { return context.id(entry.first) == context.id(child); });
  }
  Child& entry = topic.children[child];
  entry = Child{};
  entry.join_number = join.number;
  entry.has_position = join.has_position;
  entry.received = join.position;
  if (join.has_position) {
    entry.came_from = join.position.epoch;
    topic.note_highest(join.position);
  }
  entry.heard = entry.progress = context.now();
  if (topic.attached()) {
    topic.path.push_back(context.self_id());
    send_accepted(context, topic, child, entry);
    topic.path.pop_back();
  }
  shared_.touch(context, topic);
  return true;
}

// `topic.path` already ends with this node.
void Membership::send_accepted(Context context, Topic& topic, Handle handle, Child& child) {
  child.accepted = true;
  if (!child.has_position) child.received = topic.head;
  child.has_position = true;
  child.acked = child.next = topic.log.find_after(child.received);
  child.window_messages = static_cast<std::uint32_t>(shared_.settings().window_messages);
  child.window_bytes = static_cast<std::uint32_t>(shared_.settings().window_bytes);
  child.sent = child.path_sent = child.progress = context.now();
  Shared::send(context, handle,
               JoinAccepted{topic.group, child.join_number, topic.path, child.received});
}

void Membership::refuse(Context context, Handle child, const Join& join, JoinRefusal reason) {
  Shared::send(context, child, JoinRefused{join.group, join.number, reason});
}

void Membership::left(Context context, Handle from, const Key& group) {
  Topic* topic = shared_.find(group);
  if (topic == nullptr || topic->children.erase(from) == 0) return;
  shared_.touch(context, *topic);
}

void Membership::drop_child(Context context, Topic& topic, Handle child, bool died) {
  const auto found = topic.children.find(child);
  if (found == topic.children.end()) return;
  if (died && found->second.has_children && found->second.accepted) {
    topic.holds.push_back({found->second.acked, context.now() + 8 * shared_.heartbeat(context)});
  }
  topic.children.erase(found);
  shared_.touch(context, topic);
}

void Membership::peer_gone(Context context, Handle node) {
  for (auto& [group, topic] : shared_.topics()) {
    drop_child(context, *topic, node, true);
    if (topic->parent == node) {
      rejoin(context, *topic,
             context.random().between(Duration::zero(), shared_.short_period(context)), false);
    }
  }
}

// --- Upkeep -------------------------------------------------------------------------------------

bool Membership::prune(Context context, Topic& topic) {
  if (!topic.children.empty() || !topic.locals.empty()) return false;
  if (topic.is_root()) {
    const bool idle = topic.traffic + shared_.settings().idle_limit <= context.now();
    if (!idle || topic.claim_pending || !topic.waiting.empty()) return false;
  } else if (topic.gave_out() && !topic.holds.empty()) {
    // It was the root, and acknowledged what those who are on their way here do not have yet. As
    // long as it is kept for them a root after this one learns of it.
    return false;
  }
  if (topic.parent != kNoHandle) Shared::send(context, topic.parent, Leave{topic.group});
  shared_.bytes -= topic.log.bytes();
  shared_.drop_waiting(topic);
  shared_.erase(topic.group);
  return true;
}

bool Membership::gives_way(Context context, const Topic& topic) {
  if (!context.active()) return false;
  const std::vector<Handle> closest = context.replica_set(topic.group, 1);
  return !closest.empty() && closest.front() != context.self();
}

void Membership::check_root(Context context, Topic& topic) {
  if (topic.place != Place::root || !gives_way(context, topic)) return;
  rejoin(context, topic, Duration::zero(), false);
  send_join(context, topic);
}

void Membership::tick(Context context, Topic& topic) {
  const Time now = context.now();
  const Duration heartbeat = shared_.heartbeat(context);
  const Duration silence = shared_.settings().silent_periods * heartbeat;
  std::vector<Handle> silent;
  for (const auto& [handle, child] : topic.children) {
    if (child.heard + silence <= now) silent.push_back(handle);
  }
  // A pending child repeats its join only with its back-off.
  for (const Handle handle : silent) {
    const Child& child = topic.children[handle];
    if (child.accepted || child.heard + 10 * silence <= now) {
      drop_child(context, topic, handle, true);
    }
  }
  std::erase_if(topic.holds, [&](const Hold& hold) { return hold.until <= now; });

  if (topic.place == Place::attached) {
    const bool parent_silent = topic.parent_heard + silence <= now;
    // A parent that stays without a place for long may be part of a circle of such nodes.
    const bool parent_lost = topic.parent_attached + 10 * silence <= now;
    if (parent_silent || parent_lost) {
      rejoin(context, topic,
             context.random().between(Duration::zero(), shared_.short_period(context)), true);
    }
  }
  if (topic.place == Place::joining && topic.join_at <= now) send_join(context, topic);
  check_root(context, topic);
}

}  // namespace scribe
