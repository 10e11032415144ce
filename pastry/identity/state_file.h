// What a process of nodes remembers over a restart: who its nodes are, and whom they knew.
//
// Two JSON files in the process's data directory: nodes.json (id and incarnation of each node) and
// peers.json (remembered peers). Each is replaced atomically and synced. A process writes its peers
// from the time on that it is a member of an overlay, not before: the file is the proof that it was
// one. The data directory must be locked by its user (see apps), these functions do not lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/error.h"

namespace pastry::identity {

struct NodeIdentity {
  NodeId id;
  std::uint64_t incarnation = 0;

  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

struct StartedNodes {
  std::vector<NodeIdentity> nodes;
  // The first node existed before this start. It need not have been a member: see was_member.
  bool remembered = false;
};

// The identities of the first `count` nodes of `folder`, each with an incarnation one higher than
// at the last start and already on disk; nodes that did not exist get a random id and incarnation
// 1. Makes the folder if it does not exist. Errors: failed (not writable, disk full; names file and
// reason), corrupt (unreadable contents: says what to do).
Result<StartedNodes> start_nodes(const std::filesystem::path& folder, std::size_t count);

// The same with given ids for nodes that did not exist yet (tests, `--id`); an existing node whose
// id differs is ErrorCode::conflict.
Result<StartedNodes> start_nodes(const std::filesystem::path& folder, std::span<const NodeId> ids);

// At most kRememberedMax peers, in the order of usefulness. Errors as above.
inline constexpr std::size_t kRememberedMax = 1024;
Result<void> remember_peers(const std::filesystem::path& folder, std::span<const PeerInfo> peers);
// Empty if nothing was remembered yet.
Result<std::vector<PeerInfo>> remembered_peers(const std::filesystem::path& folder);
// Whether peers, or that there were none, were remembered in an earlier life.
bool was_member(const std::filesystem::path& folder);

// From OpenSSL's generator. Error: failed (no entropy).
Result<NodeId> random_node_id();
Result<TransportKey> random_transport_key();
Result<std::uint64_t> random_seed();

}  // namespace pastry::identity
