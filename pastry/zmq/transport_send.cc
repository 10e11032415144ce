// What goes out: peers, their greetings and connections, and the order in which queues are sent.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "pastry/zmq/transport.h"

namespace pastry::host {
namespace {

// A connection that takes nothing is tried again after this, doubling.
constexpr Duration kBlockedMin = milliseconds(1);
constexpr Duration kBlockedMax = milliseconds(50);
constexpr int kRestJitterPercent = 25;

}  // namespace

Peer* Transport::peer_of(HostIndex host, Time now) {
  const std::size_t at = index(host);
  if (at < by_index_.size() && by_index_[at] != nullptr) return by_index_[at];
  const HostInfo& info = directory_.host(host);
  auto found = peers_.find(info.transport_key);
  if (found == peers_.end()) {
    if (peers_.size() >= options_.peers_max && !make_room(now)) return nullptr;
    auto peer = std::make_unique<Peer>(info, options_.bytes_per_peer_max);
    found = peers_.emplace(info.transport_key, std::move(peer)).first;
  }
  if (at >= by_index_.size()) by_index_.resize(at + 1);
  by_index_[at] = found->second.get();
  return found->second.get();
}

bool Transport::make_room(Time now) {
  Peer* oldest = nullptr;
  for (auto& [key, peer] : peers_) {
    const bool busy = peer->state == Peer::State::greeting || peer->queued || !peer->queue.empty();
    if (!busy && (oldest == nullptr || peer->last_used < oldest->last_used)) oldest = peer.get();
  }
  if (oldest == nullptr || now - oldest->last_used < seconds(1)) return false;
  drop_connections(*oldest, {});
  by_index_.clear();
  peers_.erase(TransportKey(oldest->host.transport_key));
  return true;
}

bool Transport::send(HostIndex to, Priority priority, ByteView header, Payload payload, Time now) {
  Peer* peer = closed_ ? nullptr : peer_of(to, now);
  if (peer == nullptr || (peer->state == Peer::State::resting && now < peer->resting_until)) {
    ++counters_.dropped_unreachable;
    return false;
  }
  if (peer->state == Peer::State::resting) peer->state = Peer::State::idle;
  if (peer->state == Peer::State::connected && now - peer->last_used > options_.idle_timeout) {
    // This process slept; the other side may have forgotten the session.
    drop_connections(*peer, {});
    peer->state = Peer::State::idle;
  }
  if (!peer->queue.add(priority, header, std::move(payload))) {
    ++counters_.dropped_full;
    return false;
  }
  peer->last_used = now;
  if (peer->state == Peer::State::idle) begin_greeting(*peer, now);
  if (peer->state == Peer::State::connected) schedule(*peer);
  return true;
}

void Transport::schedule(Peer& peer) {
  if (peer.queued) return;
  peer.queued = true;
  to_flush_.push_back(&peer);
}

void Transport::begin_greeting(Peer& peer, Time now) {
  const auto& addresses = peer.host.addresses;
  if (addresses.empty()) return give_up(peer, "it has no address", now);
  const auto endpoint = Endpoint::parse(addresses[peer.address % addresses.size()]);
  if (!endpoint) return give_up(peer, endpoint.error().message, now);
  if (options_.security == Security::insecure)
    if (auto allowed = require_loopback(*endpoint, "peer"); !allowed)
      return give_up(peer, allowed.error().message, now);
  peer.state = Peer::State::greeting;
  greeter_.greet(*endpoint, admission_.hello(), now,
                 [this, key = peer.host.transport_key](Result<wire::HelloAccepted> answer) {
                   greeted(key, std::move(answer), now_);
                 });
}

void Transport::greeted(const TransportKey& key, Result<wire::HelloAccepted> answer, Time now) {
  const auto found = peers_.find(key);
  if (found == peers_.end()) return;
  Peer& peer = *found->second;
  if (!answer) return give_up(peer, answer.error().message, now);
  if (answer->host.transport_key != key)
    return give_up(peer, "another process listens at its address now", now);
  const auto& addresses = peer.host.addresses;
  const auto endpoint = Endpoint::parse(addresses[peer.address % addresses.size()])->dialled();
  auto connection =
      Connection::open(context_, endpoint.text(Channel::data), endpoint.needs_ipv6(),
                       options_.data_high_water_mark, options_, watches_.peers, &peer, now);
  if (!connection) return give_up(peer, connection.error().message, now);
  peer.data = std::move(*connection);
  peer.token = load_u64(answer->challenge.data());
  peer.state = Peer::State::connected;
  peer.last_used = now;
  peer.retry_pause = {};
  peer.retry_at = now;
  schedule(peer);
}

void Transport::give_up(Peer& peer, const std::string& why, Time now) {
  const std::uint64_t lost = peer.queue.messages();
  counters_.dropped_unreachable += lost;
  peer.queue.clear();
  drop_connections(peer, {});
  peer.rest = std::clamp(peer.rest * 2, options_.retry_min, options_.retry_max);
  peer.state = Peer::State::resting;
  peer.resting_until = now + jitter_.jittered(peer.rest, kRestJitterPercent);
  ++peer.address;
  const std::string at = peer.host.addresses.empty() ? "?" : peer.host.addresses.front();
  spdlog::debug("cannot reach the process at {}: {}; {} messages dropped", at, why, lost);
  events_.unreachable(peer.host);
}

void Transport::connection_lost(Peer& peer, Time now) {
  const bool was_up = peer.data && peer.data->up();
  if (!was_up) return give_up(peer, "its data port does not answer", now);
  drop_connections(peer, {});
  peer.state = Peer::State::idle;
  spdlog::debug("connection to the process at {} lost", peer.host.addresses.front());
  events_.unreachable(peer.host);
  if (!peer.queue.empty() && peer.state == Peer::State::idle) begin_greeting(peer, now);
}

void Transport::drop_connections(Peer& peer, Duration linger) {
  if (peer.data) peer.data->close(linger);
  if (peer.bulk) peer.bulk->close(linger);
  peer.data.reset();
  peer.bulk.reset();
}

bool Transport::may_send(Priority priority, Time now) {
  if (priority == Priority::control) return true;
  if (send_rate_.allows(now) && total_rate_.allows(now)) return true;
  rate_held_ = true;
  return false;
}

// False if the lane has to wait.
bool Transport::flush_lane(Peer& peer, Connection& connection, Priority priority, Time now) {
  while (Batch* batch = peer.queue.front(priority)) {
    if (!may_send(priority, now)) return false;
    const std::size_t bytes = batch->bytes;
    const std::uint32_t messages = batch->messages;
    if (connection.send(*batch, peer.token) != Connection::Sent::yes) {
      peer.retry_pause = std::clamp(peer.retry_pause * 2, kBlockedMin, kBlockedMax);
      return false;
    }
    peer.queue.pop(priority);
    peer.retry_pause = {};
    peer.rest = {};
    ++counters_.frames_sent;
    counters_.messages_sent += messages;
    counters_.bytes_sent += bytes;
    send_rate_.spend(bytes);
    total_rate_.spend(bytes);
  }
  return true;
}

void Transport::flush_peer(Peer& peer, Time now) {
  if (!peer.data) return;
  bool done = flush_lane(peer, *peer.data, Priority::control, now) &&
              flush_lane(peer, *peer.data, Priority::application, now);
  if (!peer.queue.empty(Priority::bulk)) {
    if (!peer.bulk) {
      const auto& addresses = peer.host.addresses;
      const auto endpoint = Endpoint::parse(addresses[peer.address % addresses.size()])->dialled();
      auto opened =
          Connection::open(context_, endpoint.text(Channel::bulk), endpoint.needs_ipv6(),
                           options_.bulk_high_water_mark, options_, watches_.peers, &peer, now);
      if (!opened) return give_up(peer, opened.error().message, now);
      peer.bulk = std::move(*opened);
    }
    peer.last_bulk = now;
    done = flush_lane(peer, *peer.bulk, Priority::bulk, now) && done;
  }
  peer.retry_at = now + std::max(peer.retry_pause, kBlockedMin);
  if (!done || !peer.queue.empty()) schedule(peer);
}

void Transport::flush(Time now) {
  now_ = now;
  rate_held_ = false;
  // Whoever still has to wait puts itself on the new list.
  std::vector<Peer*> peers = std::exchange(to_flush_, {});
  for (Peer* peer : peers) {
    peer->queued = false;
    if (peer->state != Peer::State::connected) continue;
    if (peer->retry_pause > Duration{} && now < peer->retry_at) {
      schedule(*peer);
      continue;
    }
    flush_peer(*peer, now);
  }
}

}  // namespace pastry::host
