// Parameters and bounds of SCRIBE, shared by all nodes of a host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "pastry/core/hash.h"
#include "pastry/core/timestamp.h"

namespace scribe {

struct Settings {
  // Makes groupIds; must outlive every Scribe that uses these settings.
  const pastry::Hash* hash = nullptr;
  // Name of the overlay: a plain topic name is unique within it.
  std::string overlay;

  // --- Tree ---

  // Topics for which a node keeps tree state, children per topic, longest path to the root.
  std::size_t topics_max = 4096;
  std::size_t children_max = 4096;
  std::size_t path_max = 64;
  // Period of the heartbeat between parent and child; 0: half of Config::heartbeat_period. Data and
  // acknowledgements count as heartbeats.
  pastry::Duration heartbeat_period{};
  // A parent or child that was silent for so many periods is given up.
  int silent_periods = 4;

  // --- Flow ---

  // Credit of a hop: messages and bytes that a node takes from its parent (a root: from its
  // publishers) beyond what all its children and local subscribers have taken.
  std::size_t window_messages = 1024;
  std::size_t window_bytes = 2U << 20;
  // What a node keeps of a topic to serve children that come back; at least twice the window, so
  // that the orphans of a dead forwarder find everything they missed.
  std::size_t history_messages = 3072;
  std::size_t history_bytes = 8U << 20;
  // Bound on the bytes of all topics of a node together.
  std::size_t node_bytes = 64U << 20;
  // A child or subscriber that takes nothing for so long while messages wait is detached (child) or
  // loses its place and gets a gap (local subscriber, after half of it).
  pastry::Duration stall_limit = std::chrono::seconds(60);
  // History of a topic without traffic, and a root without a tree, are dropped after this time.
  pastry::Duration idle_limit = std::chrono::seconds(60);

  // --- Publishing ---

  // Messages and bytes of one topic that may wait for their acknowledgement at the publisher.
  std::size_t publish_messages = 1024;
  std::size_t publish_bytes = 4U << 20;
  // A publish without any progress for so long fails with timed_out.
  pastry::Duration publish_deadline = std::chrono::seconds(60);
  // Publishers per topic whose sequence numbers a node remembers to drop duplicates.
  std::size_t publishers_max = 256;

  // --- Views ---

  // Tree walks in progress at a node, and members that one answer names.
  std::size_t walks_max = 64;
  std::size_t walk_members_max = 500;
};

}  // namespace scribe
