// The state of a node and what its parts do with each other. For the node's own files only.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "pastry/core/application.h"
#include "pastry/core/box.h"
#include "pastry/core/forwarder.h"
#include "pastry/core/gap.h"
#include "pastry/core/joiner.h"
#include "pastry/core/leases.h"
#include "pastry/core/liveness.h"
#include "pastry/core/node.h"
#include "pastry/core/operations.h"
#include "pastry/core/upkeep.h"

namespace pastry {

// suspended: has its place but not both leases; delivers nothing that only the root may.
enum class NodePhase : unsigned char { created, joining, active, suspended, left };

struct NodeState {
  NodeState(Node& node, const Config& config, Directory& directory, Handle self,
            std::uint64_t seed);

  Node* node;
  const Config* config;
  Directory* directory;
  Handle self;
  NodePhase phase = NodePhase::created;
  bool alone = false;
  WallTime wall;
  Tables tables;
  Random random;
  NodeCounters counters;
  std::vector<std::pair<ApplicationId, Application*>> applications;

  Forwarder forwarder;
  Liveness liveness;
  Leases leases;
  Upkeep upkeep;
  Operations operations;
  Box<Gap> gap;        // while it helps joiners
  Box<Joiner> joiner;  // while it joins, and until the applications know of its end
  Box<std::vector<LocalWork>> backlog;  // work beyond the bound of one step

  bool joining() const { return phase == NodePhase::joining; }
  bool active() const { return phase == NodePhase::active; }
  bool suspended() const { return phase == NodePhase::suspended; }
  // Active, or was and keeps its place until it has its leases again.
  bool member() const { return active() || suspended(); }
  // Has a place in the ring: member, or admitted and about to be active.
  bool placed() const { return member() || (joiner && joiner->admitted()); }
  // Whether this node may deliver what only the root of `key` may: it holds its leases at `now` and
  // no dead neighbour may still be the root.
  bool may_deliver(const Key& key, Time now) const {
    return active() && leases.held(*this, now) && !leases.guarded(*this, key, now);
  }
  const NodeId& self_id() const { return tables.self(); }
  const NodeId& id(Handle handle) const { return directory->id(handle); }

  Application* application(ApplicationId id) const;
  Context context(Step& step, ApplicationId application) { return {*node, step, application}; }
  Gap& gap_state();

  // Over a third node if `to` cannot be reached straight (relays.h).
  void send(Step& step, Handle to, Message&& message, Priority priority = Priority::control);
  void send_straight(Step& step, Handle to, Message&& message,
                     Priority priority = Priority::control);
  // As send(), but a message to this node itself is queued in the step.
  void send_direct(Step& step, Handle to, Direct&& direct, Priority priority);
  // By distance to this node on the ring.
  void sort_nearest_first(std::vector<Handle>& peers) const;
  // Whether replica_set() is for sure what the root of `key` chooses (routing.h).
  bool knows_replica_set(const Key& key, int k) const;
  Duration probe_time() const { return config->probe_time(); }
  void emit(Step& step, NodeEvent&& event) { step.out->events.push_back(std::move(event)); }

  // Insertion into and removal from the tables, with everything that follows from it.
  void insert_leaf(Step& step, Handle peer);
  void remove_peer(Step& step, Handle peer, Departure how);
  Leases::LeafPlace leaf_place(Handle peer) const;
  // The peer answered after `round_trip`: it may stand in the tables, as far away as that or as the
  // metric says.
  void measured(Handle peer, Duration round_trip);
  // How far that is; without a metric the round trip itself.
  Proximity distance(Handle peer, Duration round_trip) const;
  // Everybody this node knew is dead or gone.
  void go_on_alone_if_so(Step& step);
  // A joiner's probes are answered and its neighbours granted leases, or a suspended node has both
  // leases again: become active.
  void activate_if_ready(Step& step);
  void activate(Step& step);
  // Gives the own place up, though alive, and joins again through whoever is known.
  void resign(Step& step, const char* reason);
  // Before anything else in a step: a lease that ran out makes this node inactive.
  void check_leases(Step& step);
  // Members of the leaf set and of the neighbourhood set take the empty slots that they fit.
  void fill_empty_slots();

 private:
  void suspend(Step& step);
  void fill_slot(Handle peer);
  // Who is known and has the digits takes the place of an entry that was removed.
  void refill(const NodeId& gone);
  void report_active(Step& step);
  void tell_applications(Step& step, bool active);
};

}  // namespace pastry
