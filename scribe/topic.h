// What a node keeps of one topic: its place in the tree, its children and subscribers, the stream.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pastry/core/application.h"
#include "scribe/scribe.h"
#include "scribe/segment_log.h"

namespace scribe {

using pastry::Duration;
using pastry::kNoHandle;
using pastry::Time;

enum class Place : std::uint8_t {
  joining,   // looks for a parent
  attached,  // has a parent and a confirmed path to the root
  claiming,  // is the root and raises the epoch
  root,
};

struct Child {
  std::uint32_t join_number = 0;
  bool accepted = false;      // told so; gets data
  bool has_position = false;  // resumes after `received`
  bool has_children = false;
  bool recovering = false;  // the oldest segment was repeated, the others wait for the answer
  Position received;        // cumulative acknowledgement
  // Epoch of the position that it came with; without one it lacks nothing of earlier epochs.
  std::uint64_t came_from = kNumberMax;
  std::uint64_t acked = 0;  // index of the first segment not acknowledged
  std::uint64_t next = 0;   // index of the next segment to send
  std::uint32_t window_messages = 0;
  std::uint32_t window_bytes = 0;
  int repeats = 0;   // retransmissions without progress
  Time heard{};      // last sign of life
  Time sent{};       // last message to it
  Time progress{};   // last time it took something, or had taken everything
  Time repeat_at{};  // when to repeat what is not acknowledged
  Time path_sent{};
};

struct LocalSubscriber {
  Subscriber* subscriber = nullptr;
  bool attached = false;
  bool gone = false;  // unsubscribed; removed by the next flush
  std::size_t credit = 0;
  Position from;             // what is not above this is not for it (any more)
  std::uint64_t cursor = 0;  // index of the segment to deliver next
  std::size_t within = 0;    // messages of it already delivered
  std::size_t at = 0;        // and where in its frame the next one begins
  Time progress{};
};

// Somebody may come back for what follows this index; it is kept until then.
struct Hold {
  std::uint64_t index = 0;
  Time until{};
};

// What is known about a publisher's stream [SCRIBE §3.5]: tells duplicates and holes.
struct PublisherSeen {
  std::uint64_t last = 0;     // sequence number
  std::uint64_t touched = 0;  // index of the log when it changed
  // At the root only:
  Handle reply_to = kNoHandle;
  std::uint64_t acknowledged = 0;
  std::uint32_t unreported = 0;  // frames accepted since the last acknowledgement
  bool report = false;           // an acknowledgement is due
  bool hole = false;             // a message before those that came is missing
  bool stalled = false;          // something of it was refused for lack of room
};

using PublisherKey = std::pair<NodeId, std::uint64_t>;  // node, session

// A publish that came while the epoch was being claimed.
struct WaitingPublish {
  Handle from = kNoHandle;
  Payload payload;
};

struct Topic {
  explicit Topic(const Key& key) : group(key) {}

  Key group;
  std::string name;

  // --- Place in the tree ---
  Place place = Place::joining;
  Handle parent = kNoHandle;
  std::vector<NodeId> path;             // from the root to the parent
  std::uint32_t fingerprint = 0;        // of `path`
  std::uint32_t child_fingerprint = 0;  // of `path` and this node
  std::uint32_t join_number = 0;
  int join_attempts = 0;
  Time join_at{};  // when to send (again) a join, while joining
  Time parent_heard{};
  Time parent_attached{};  // last time the parent said it is attached
  std::map<Handle, Child> children;
  std::map<SubscriptionId, LocalSubscriber> locals;

  // --- Root ---
  std::uint64_t epoch = 0;
  std::uint64_t next_offset = 1;
  std::uint32_t claim = 0;  // number of the claim under way
  Time claim_at{};          // when to claim again, while claiming and none is under way
  bool claim_pending = false;
  bool rising = false;  // claims because somebody is above it, and each lacks what the other had
  Time rise_at{};       // not earlier because of what somebody says to have
  Position previous;    // what the next segment names as the position before it
  // The newest epoch, before a root's own, of which somebody below has a message; and the newest
  // of which this root's stream accounts for all messages.
  std::uint64_t epoch_below = 0;
  std::uint64_t epoch_covered = 0;
  std::vector<WaitingPublish> waiting;
  std::uint64_t reported = 0;  // index up to which publishers were told

  // --- Stream ---
  SegmentLog log;
  bool positioned = false;
  Position start;        // where this node's part of the stream began
  bool trimmed = false;  // it no longer has everything since then
  int rewinds = 0;
  Position head;
  Position highest;             // that anybody below has
  Position skip_to;             // the parent has nothing up to here
  std::uint64_t gap_index = 0;  // end of the log at the last gap by position
  // Messages are missing before the next segment that say nothing by its position: so many at
  // least, after `gap_after`.
  bool gap_due = false;
  std::uint64_t gap_missing = 0;
  Position gap_after;
  std::vector<Hold> holds;
  std::map<PublisherKey, PublisherSeen> seen;
  bool ack_due = false;
  bool want_resend = false;
  Position resend_head;
  Time resend_at{};
  Time ack_sent{};
  std::uint32_t advertised_messages = 0;
  Time traffic{};  // last segment or publish

  // --- Counters ---
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t resent = 0;
  std::uint64_t lost = 0;
  std::uint64_t parent_changes = 0;

  bool dirty = false;

  bool attached() const { return place == Place::attached || place == Place::root; }
  bool is_root() const { return place == Place::root || place == Place::claiming; }
  Position given_out() const { return {epoch, next_offset - 1}; }
  // The newest that this node itself knows to have been given out.
  Position known() const {
    if (!is_root()) return head;
    return {std::max(epoch, head.epoch), std::max(next_offset - 1, head.offset)};
  }
  // Somebody below says it has this position.
  void note_highest(const Position& position) {
    if (!believable(position, known())) return;
    if (position > highest) highest = position;
    const bool before = place != Place::root || position.epoch < epoch;
    if (before && position.offset > 0) epoch_below = std::max(epoch_below, position.epoch);
  }
  // Local subscribers lack so many messages (0: unknown) before the next segment.
  void note_gap(std::uint64_t missing) {
    if (!gap_due) gap_after = head;
    gap_due = true;
    gap_missing += missing;
  }
  // As root it has given out a position of its epoch.
  bool gave_out() const { return head.epoch == epoch && head.offset > 0; }
  bool on_path(const NodeId& id) const {
    for (const NodeId& member : path) {
      if (member == id) return true;
    }
    return false;
  }
};

}  // namespace scribe
