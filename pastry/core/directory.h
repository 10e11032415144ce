// Peers as the core handles them: a 32-bit handle, with everything else kept once per host.
//
// A node's tables hold `Handle`s. What a handle stands for (id, incarnation, transport key,
// addresses, failure domain, signature) is in the host's Directory, shared by all nodes of the
// process. The same id with another incarnation, host or signature is another handle.
// Not thread-safe: belongs to the host's loop.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "pastry/core/id.h"
#include "pastry/core/payload.h"
#include "pastry/core/prefetch.h"
#include "proximity/location.h"

namespace pastry {

// Index into the host's Directory. Meaningless in any other process.
enum class Handle : std::uint32_t {};
inline constexpr Handle kNoHandle{0xffffffffU};
constexpr std::uint32_t index(Handle handle) { return static_cast<std::uint32_t>(handle); }
// Asked many times for every message, of short lists: eight at a time, without branches.
inline bool holds(std::span<const Handle> list, Handle peer) {
  using Lanes [[gnu::vector_size(16)]] = std::uint32_t;
  const std::uint32_t wanted = index(peer);
  const Handle* at = list.data();
  std::size_t left = list.size();
  for (; left >= 8; left -= 8, at += 8) {
    Lanes first;
    Lanes second;
    std::memcpy(&first, at, sizeof first);
    std::memcpy(&second, at + 4, sizeof second);
    const auto equal =
        std::bit_cast<std::array<std::uint64_t, 2>>((first == wanted) | (second == wanted));
    if ((equal[0] | equal[1]) != 0) return true;
  }
  return std::find(at, at + left, peer) != at + left;
}

// Public key of a process's transport (CURVE); all nodes of a process share it. All zeroes in
// insecure mode until identity exists, where a process is told apart by a random value instead.
struct TransportKey {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const TransportKey&, const TransportKey&) = default;
};

// What all nodes of one process have in common.
struct HostInfo {
  TransportKey transport_key;
  // Where the process's data, admission and bulk sockets listen, most preferred first, each
  // "tcp://HOST:PORT" (the admission endpoint; the host derives the others, see zmq/).
  std::vector<std::string> addresses;
  // Failure-domain label; copies of a file are spread over different domains. Empty means: a domain
  // of its own for this process.
  std::string domain;
  // Where it stands on the earth, if it says so; for a metric (metric.h).
  proximity::Location location;

  friend bool operator==(const HostInfo&, const HostInfo&) = default;
};

// The full description of a node as it travels in messages. Everything but the signature is what
// the node's key signs.
struct PeerInfo {
  NodeId id;
  std::uint64_t incarnation = 0;  // grows with every start of the node; the higher one replaces
  HostInfo host;
  Bytes signature;  // empty until identity exists

  friend bool operator==(const PeerInfo&, const PeerInfo&) = default;
};

enum class HostIndex : std::uint32_t {};
constexpr std::uint32_t index(HostIndex host) { return static_cast<std::uint32_t>(host); }

class Directory {
 public:
  // `max_peers`: bound on the peers remembered at a time (each costs about 100 bytes plus what its
  // process costs once).
  explicit Directory(std::size_t max_peers = 1U << 22);

  // The handle of exactly this peer, made if new. kNoHandle if the directory is full.
  Handle intern(const PeerInfo& peer);

  // The handle of a peer on a process already known; cheaper than intern(PeerInfo).
  Handle intern(const NodeId& id, std::uint64_t incarnation, HostIndex host, ByteView signature);
  // kNoHost if the directory is full.
  HostIndex intern_host(const HostInfo& host);

  // The newest incarnation known of `id`, or kNoHandle.
  Handle find(const NodeId& id) const;
  // This incarnation of `id`, or kNoHandle; of several descriptions of it any.
  Handle find(const NodeId& id, std::uint64_t incarnation) const;

  // All below require a valid handle.
  const NodeId& id(Handle handle) const { return peers_[index(handle)].id; }
  std::uint64_t incarnation(Handle handle) const { return peers_[index(handle)].incarnation; }
  HostIndex host_index(Handle handle) const { return peers_[index(handle)].host; }
  const HostInfo& host(Handle handle) const { return host(host_index(handle)); }
  const HostInfo& host(HostIndex host) const { return hosts_[index(host)].info; }
  ByteView signature(Handle handle) const;
  PeerInfo info(Handle handle) const;
  // Whether other handles of the same id are, or were, here: other incarnations, or the same on
  // another host. Mostly false, which spares who asks for them the search.
  bool has_twins(Handle handle) const { return twins_[index(handle)]; }
  // Whether both live in the same failure domain: equal non-empty labels, or the same process.
  bool same_domain(Handle a, Handle b) const;

  bool valid(Handle handle) const { return index(handle) < peers_.size() && used_[index(handle)]; }
  std::size_t size() const { return live_; }

  // Brings what id() and incarnation() read into the cache, for whoever asks about many.
  void prefetch(Handle handle) const { prefetch_line(peers_.data() + index(handle)); }

  // Forgets every peer for which mark() was not called between begin_collection() and
  // end_collection(), and every process without peers; their handles and indices may be given out
  // again. The host marks what its nodes, applications and queues hold. What is interned in between
  // counts as marked.
  void begin_collection();
  void mark(Handle handle);
  // Returns how many peers were forgotten.
  std::size_t end_collection();

  // Changes when peers or processes were forgotten: what others derived from handles is then out of
  // date.
  std::uint64_t generation() const { return generation_; }

 private:
  // Peers and hosts are chained per hash bucket through their own records, which costs a third of
  // what a standard hash map would.
  struct Peer {
    NodeId id;
    std::uint64_t incarnation = 0;
    HostIndex host{};
    std::uint32_t next = kEndOfChain;
  };

  struct Host {
    HostInfo info;
    std::uint32_t peers = 0;
    std::uint32_t next = kEndOfChain;
  };

  // An array that only grows, with stable addresses, because host() returns references. In blocks
  // of its own: those of std::deque leave a fifth of their memory unused with this record.
  class Hosts {
   public:
    std::size_t size() const { return size_; }
    Host& operator[](std::size_t slot) { return blocks_[slot / kBlock][slot % kBlock]; }
    const Host& operator[](std::size_t slot) const { return blocks_[slot / kBlock][slot % kBlock]; }
    void append() {
      if (size_++ % kBlock == 0) blocks_.push_back(std::make_unique<Host[]>(kBlock));
    }

   private:
    static constexpr std::size_t kBlock = 16;
    std::vector<std::unique_ptr<Host[]>> blocks_;
    std::size_t size_ = 0;
  };

  static constexpr std::uint32_t kEndOfChain = 0xffffffffU;

  Handle find_exact(const NodeId& id, std::uint64_t incarnation, HostIndex host,
                    ByteView signature) const;
  bool mark_twins(const NodeId& id);
  std::uint32_t peer_bucket(const NodeId& id) const;
  std::uint32_t host_bucket(const HostInfo& host) const;
  void grow_peer_buckets();
  void grow_host_buckets();
  void forget(std::uint32_t slot);
  void forget_host(std::uint32_t slot);

  std::size_t max_peers_;
  std::size_t live_ = 0;
  std::size_t live_hosts_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<Peer> peers_;
  std::vector<bool> used_;
  std::vector<bool> marked_;
  std::vector<bool> twins_;
  std::vector<std::uint32_t> free_peers_;
  std::vector<std::uint32_t> peer_buckets_;  // first of each chain; a power of two of them
  Hosts hosts_;
  std::vector<bool> host_used_;
  std::vector<std::uint32_t> free_hosts_;
  std::vector<std::uint32_t> host_buckets_;
  std::unordered_map<std::uint32_t, Bytes> signatures_;  // sparse until identity exists
};

inline constexpr HostIndex kNoHost{0xffffffffU};

}  // namespace pastry
