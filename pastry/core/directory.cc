#include "pastry/core/directory.h"

#include <algorithm>
#include <string_view>

namespace pastry {
namespace {

constexpr std::size_t kFirstBuckets = 16;

// FNV-1a; only spreads processes over buckets.
class ByteHash {
 public:
  void add(std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) state_ = (state_ ^ byte) * 0x100000001b3ULL;
  }
  void add(std::string_view text) {
    add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    add(std::array<std::uint8_t, 1>{0});
  }
  std::uint32_t value() const { return static_cast<std::uint32_t>(state_ ^ (state_ >> 32)); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

// Takes `slot` out of the chain that starts at `first` and continues in the records' `next`.
template <typename Records>
void unchain(std::uint32_t& first, Records& records, std::uint32_t slot) {
  std::uint32_t* link = &first;
  while (*link != slot) link = &records[*link].next;
  *link = records[slot].next;
}

}  // namespace

Directory::Directory(std::size_t max_peers)
    : max_peers_(std::min<std::size_t>(max_peers, index(kNoHandle))),
      peer_buckets_(kFirstBuckets, kEndOfChain),
      host_buckets_(kFirstBuckets, kEndOfChain) {}

Handle Directory::intern(const PeerInfo& peer) {
  const HostIndex host = intern_host(peer.host);
  if (host == kNoHost) return kNoHandle;
  return intern(peer.id, peer.incarnation, host, peer.signature);
}

Handle Directory::intern(const NodeId& id, std::uint64_t incarnation, HostIndex host,
                         ByteView signature) {
  if (const Handle known = find_exact(id, incarnation, host, signature); known != kNoHandle) {
    marked_[index(known)] = true;
    return known;
  }
  if (live_ >= max_peers_) return kNoHandle;
  const bool twins = mark_twins(id);
  if (live_ == peer_buckets_.size()) grow_peer_buckets();
  std::uint32_t slot = static_cast<std::uint32_t>(peers_.size());
  if (free_peers_.empty()) {
    if (peers_.size() == peers_.capacity()) peers_.reserve(peers_.size() + peers_.size() / 8 + 64);
    peers_.emplace_back();
    used_.push_back(true);
    marked_.push_back(true);
    twins_.push_back(twins);
  } else {
    slot = free_peers_.back();
    free_peers_.pop_back();
    used_[slot] = true;
    marked_[slot] = true;
    twins_[slot] = twins;
  }
  ++live_;
  std::uint32_t& first = peer_buckets_[peer_bucket(id)];
  peers_[slot] = {id, incarnation, host, first};
  first = slot;
  ++hosts_[index(host)].peers;
  if (!signature.empty()) signatures_.emplace(slot, Bytes(signature.begin(), signature.end()));
  return Handle{slot};
}

HostIndex Directory::intern_host(const HostInfo& host) {
  for (std::uint32_t slot = host_buckets_[host_bucket(host)]; slot != kEndOfChain;
       slot = hosts_[slot].next) {
    if (hosts_[slot].info == host) return HostIndex{slot};
  }
  if (live_hosts_ >= max_peers_) return kNoHost;
  if (live_hosts_ == host_buckets_.size()) grow_host_buckets();
  std::uint32_t slot = static_cast<std::uint32_t>(hosts_.size());
  if (free_hosts_.empty()) {
    hosts_.append();
    host_used_.push_back(true);
  } else {
    slot = free_hosts_.back();
    free_hosts_.pop_back();
    host_used_[slot] = true;
  }
  ++live_hosts_;
  std::uint32_t& first = host_buckets_[host_bucket(host)];
  hosts_[slot] = {host, 0, first};
  first = slot;
  return HostIndex{slot};
}

Handle Directory::find(const NodeId& id) const {
  std::uint32_t newest = kEndOfChain;
  for (std::uint32_t slot = peer_buckets_[peer_bucket(id)]; slot != kEndOfChain;
       slot = peers_[slot].next) {
    if (peers_[slot].id != id) continue;
    if (newest == kEndOfChain || peers_[slot].incarnation > peers_[newest].incarnation) {
      newest = slot;
    }
  }
  return newest == kEndOfChain ? kNoHandle : Handle{newest};
}

Handle Directory::find(const NodeId& id, std::uint64_t incarnation) const {
  for (std::uint32_t slot = peer_buckets_[peer_bucket(id)]; slot != kEndOfChain;
       slot = peers_[slot].next) {
    if (peers_[slot].id == id && peers_[slot].incarnation == incarnation) return Handle{slot};
  }
  return kNoHandle;
}

ByteView Directory::signature(Handle handle) const {
  const auto found = signatures_.find(index(handle));
  return found == signatures_.end() ? ByteView() : ByteView(found->second);
}

PeerInfo Directory::info(Handle handle) const {
  const ByteView signed_by = signature(handle);
  return {id(handle), incarnation(handle), host(handle), Bytes(signed_by.begin(), signed_by.end())};
}

bool Directory::same_domain(Handle a, Handle b) const {
  if (host_index(a) == host_index(b)) return true;
  const std::string& domain = host(a).domain;
  return !domain.empty() && domain == host(b).domain;
}

void Directory::begin_collection() { marked_.assign(peers_.size(), false); }

void Directory::mark(Handle handle) {
  if (valid(handle)) marked_[index(handle)] = true;
}

std::size_t Directory::end_collection() {
  const std::size_t before = live_;
  for (std::uint32_t slot = 0; slot < peers_.size(); ++slot) {
    if (used_[slot] && !marked_[slot]) forget(slot);
  }
  for (std::uint32_t slot = 0; slot < hosts_.size(); ++slot) {
    if (host_used_[slot] && hosts_[slot].peers == 0) forget_host(slot);
  }
  return before - live_;
}

Handle Directory::find_exact(const NodeId& id, std::uint64_t incarnation, HostIndex host,
                             ByteView signature) const {
  for (std::uint32_t slot = peer_buckets_[peer_bucket(id)]; slot != kEndOfChain;
       slot = peers_[slot].next) {
    const Peer& peer = peers_[slot];
    if (peer.id != id || peer.incarnation != incarnation || peer.host != host) continue;
    const ByteView known = this->signature(Handle{slot});
    if (std::equal(known.begin(), known.end(), signature.begin(), signature.end())) {
      return Handle{slot};
    }
  }
  return kNoHandle;
}

// Notes at every peer of this id that it has twins; whether there are any.
bool Directory::mark_twins(const NodeId& id) {
  bool found = false;
  for (std::uint32_t slot = peer_buckets_[peer_bucket(id)]; slot != kEndOfChain;
       slot = peers_[slot].next) {
    if (peers_[slot].id != id) continue;
    twins_[slot] = true;
    found = true;
  }
  return found;
}

std::uint32_t Directory::peer_bucket(const NodeId& id) const {
  return static_cast<std::uint32_t>(IdHash{}(id) & (peer_buckets_.size() - 1));
}

std::uint32_t Directory::host_bucket(const HostInfo& host) const {
  ByteHash hash;
  hash.add(host.transport_key.bytes);
  for (const std::string& address : host.addresses) hash.add(address);
  hash.add(host.domain);
  return hash.value() & static_cast<std::uint32_t>(host_buckets_.size() - 1);
}

void Directory::grow_peer_buckets() {
  peer_buckets_.assign(peer_buckets_.size() * 2, kEndOfChain);
  for (std::uint32_t slot = 0; slot < peers_.size(); ++slot) {
    if (!used_[slot]) continue;
    std::uint32_t& first = peer_buckets_[peer_bucket(peers_[slot].id)];
    peers_[slot].next = first;
    first = slot;
  }
}

void Directory::grow_host_buckets() {
  host_buckets_.assign(host_buckets_.size() * 2, kEndOfChain);
  for (std::uint32_t slot = 0; slot < hosts_.size(); ++slot) {
    if (!host_used_[slot]) continue;
    std::uint32_t& first = host_buckets_[host_bucket(hosts_[slot].info)];
    hosts_[slot].next = first;
    first = slot;
  }
}

void Directory::forget(std::uint32_t slot) {
  unchain(peer_buckets_[peer_bucket(peers_[slot].id)], peers_, slot);
  --hosts_[index(peers_[slot].host)].peers;
  signatures_.erase(slot);
  used_[slot] = false;
  free_peers_.push_back(slot);
  --live_;
  ++generation_;
}

void Directory::forget_host(std::uint32_t slot) {
  unchain(host_buckets_[host_bucket(hosts_[slot].info)], hosts_, slot);
  hosts_[slot].info = {};
  host_used_[slot] = false;
  free_hosts_.push_back(slot);
  --live_hosts_;
  ++generation_;
}

}  // namespace pastry
