// The stream of a topic down the tree: in order, repeated when lost, with credit from hop to hop.
//
// A node acknowledges cumulatively what it has, and tells how much more it takes: its window less
// what its slowest child or subscriber has not taken yet. So a full subscriber stops its parent,
// and so on up to the root.
#pragma once

#include <map>
#include <vector>

#include "scribe/membership.h"
#include "scribe/shared.h"

namespace scribe {

class Stream {
 public:
  Stream(Shared& shared, Membership& membership) : shared_(shared), membership_(membership) {}

  void segment(Context context, Handle from, Segment segment);
  void ack(Context context, Handle from, const Ack& ack);

  // Puts a segment behind the others; the topic's head is then its last message.
  void append(Context context, Topic& topic, LogEntry entry);

  // Index up to which all children and local subscribers have everything; and the same with those
  // who may come back.
  static std::uint64_t released(const Topic& topic);
  static std::uint64_t kept(const Topic& topic);
  // Whether the window has room for a segment.
  bool has_room(const Topic& topic) const;

  // Gives subscribers and children what they can take, and the parent its acknowledgement.
  void pump(Context context, Topic& topic);

  // Periodic work on one topic: repetitions, stalled takers. Heartbeats that are due are added to
  // `acks` and `beats`, to be sent together.
  void tick(Context context, Topic& topic, std::map<Handle, std::vector<Ack>>& acks,
            std::map<Handle, std::vector<Beat>>& beats);

 private:
  struct Window {
    std::uint32_t messages = 0;
    std::uint32_t bytes = 0;
  };

  bool note_publisher(Topic& topic, LogEntry& entry);
  void accept(Context context, Topic& topic, Segment segment);
  void pump_locals(Context context, Topic& topic);
  void pump_local(Context context, Topic& topic, SubscriptionId id, LocalSubscriber& local);
  void report_gap(Context context, Topic& topic, LocalSubscriber& local, const LogEntry& entry);
  void deliver_next(Context context, Topic& topic, LocalSubscriber& local, const LogEntry& entry);
  void pump_child(Context context, Topic& topic, Handle handle, Child& child);
  void send_segment(Context context, Topic& topic, Handle handle, Child& child,
                    std::uint64_t index);
  void send_ack(Context context, Topic& topic);
  void tick_child(Context context, Topic& topic, Handle handle, Child& child);
  void trim(Topic& topic);
  Window window(const Topic& topic) const;
  Ack make_ack(Context context, Topic& topic) const;

  Shared& shared_;
  Membership& membership_;
};

// Adds the publisher to those whose numbers the topic remembers, forgetting the one that was silent
// longest if there are too many.
PublisherSeen& remember_publisher(Topic& topic, const PublisherKey& key,
                                  std::size_t publishers_max);

}  // namespace scribe
