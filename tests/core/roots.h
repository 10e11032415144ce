// Who would deliver a key: one node at most, whatever happens.
#pragma once

#include <algorithm>
#include <vector>

#include "tests/core/ring.h"

namespace pastry::test {

// Detection and a lease with its margin: after that the keys of a node that died have a root again.
inline Duration takeover(const Config& config) {
  return config.heartbeat_period + config.probe_timeout * (config.probe_retries + 2) +
         config.granted_lease();
}

// Who takes all others for dead is a ring of its own, and is left out.
inline std::vector<Handle> deliverers(Ring& ring, const Key& key) {
  std::vector<Handle> result;
  const std::vector<Handle> live = ring.live();
  for (const Handle peer : live) {
    if (ring.node(peer).alone() && live.size() > 1) continue;
    if (ring.node(peer).would_deliver(key, ring.clock(peer))) result.push_back(peer);
  }
  return result;
}

// Keys around every node, and between each two.
inline std::vector<Key> keys_around(Ring& ring, const std::vector<Handle>& nodes) {
  std::vector<Key> keys;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeId& id = ring.directory().id(nodes[i]);
    const Id gap = ring.directory().id(nodes[(i + 1) % nodes.size()]) - id;
    for (const unsigned part : {1U, 3U, 5U, 7U}) {
      keys.push_back(id + Id(gap.high() / 8 * part, gap.low()));
    }
    keys.push_back(id);
  }
  return keys;
}

// The most nodes that would deliver any of the keys at the same time, while `time` passes.
inline std::size_t most_roots(Ring& ring, Duration time, const std::vector<Key>& keys,
                              Duration step = milliseconds(5)) {
  std::size_t most = 0;
  for (Duration passed{}; passed < time; passed += step) {
    ring.run(step);
    for (const Key& key : keys) most = std::max(most, deliverers(ring, key).size());
  }
  return most;
}

// From now on the nodes hear nothing of each other, not even over others.
inline void part(Ring& ring, std::vector<Handle> some, Handle other) {
  ring.drop = [some = std::move(some), other](Handle from, const Send& send) {
    const auto among = [&](Handle peer) {
      return std::find(some.begin(), some.end(), peer) != some.end();
    };
    return (among(from) && send.to == other) || (from == other && among(send.to)) ||
           std::holds_alternative<Relay>(send.message);
  };
}

// From now on nothing reaches the node, and nothing of it anybody.
inline void cut_off(Ring& ring, Handle node) {
  ring.drop = [node](Handle from, const Send& send) { return from == node || send.to == node; };
}

}  // namespace pastry::test
