// Membership in the trees: join along the route, leave, repair [SCRIBE §3.2, §3.3].
//
// A node is attached when an attached parent accepted it and told it the path to the root. No loop
// lasts: a child on the path is refused; a node that finds itself in the path it is given joins
// again; paths travel down whenever they change.
#pragma once

#include <utility>

#include "scribe/shared.h"

namespace scribe {

class Membership {
 public:
  explicit Membership(Shared& shared) : shared_(shared) {}

  // A join on its way through this node or, with `as_root`, delivered here. True if it was taken.
  bool join_passes(Context context, Handle child, const Join& join, bool as_root);
  void accepted(Context context, Handle from, const JoinAccepted& accepted);
  void refused(Context context, Handle from, const JoinRefused& refused);
  void left(Context context, Handle from, const Key& group);
  void detached(Context context, Handle from, const Key& group);
  void path_changed(Context context, Handle from, const PathChanged& changed);
  void beat(Context context, Handle from, const Beat& beat);
  void peer_gone(Context context, Handle node);

  // Sends a join for a topic that has no place yet.
  void send_join(Context context, Topic& topic);
  // Gives up the parent, if any, and looks for another after `delay`.
  void rejoin(Context context, Topic& topic, Duration delay, bool tell_parent);
  // The topic got a place with this path: tells subscribers and children.
  void attach(Context context, Topic& topic, Handle parent, std::vector<NodeId> path);
  // Forgets a position that cannot be one of this topic, which a parent gave it. Those below it
  // look for other parents.
  void start_over(Context context, Topic& topic);
  // Removes a child; what it had not passed on is kept for a while if it had children.
  void drop_child(Context context, Topic& topic, Handle child, bool died);
  // Leaves the tree if nobody needs this node in it. True if the topic was erased.
  bool prune(Context context, Topic& topic);
  // Whether another node than this one is the closest to the group.
  static bool gives_way(Context context, const Topic& topic);
  // Marks a root that is no longer the closest to the group, and lets it join the new one.
  void check_root(Context context, Topic& topic);

  // Periodic work on one topic: joins to repeat, silent parents and children.
  void tick(Context context, Topic& topic);

 private:
  // Begins the stream of a node that is new in the tree where its children need it to.
  static std::pair<bool, Position> wanted_start(const Topic& topic);
  void rewind_if_wanted(Context context, Topic& topic);
  bool add_child(Context context, Topic& topic, Handle child, const Join& join);
  void send_accepted(Context context, Topic& topic, Handle handle, Child& child);
  void refuse(Context context, Handle child, const Join& join, JoinRefusal reason);
  void set_path(Context context, Topic& topic, std::vector<NodeId> path);
  void send_path(Context context, Topic& topic, Handle handle, Child& child);

  Shared& shared_;
};

}  // namespace scribe
