#include "pastry/zmq/transport.h"

#include <cstring>
#include <utility>

namespace pastry::host {
namespace {

constexpr Duration kTick = milliseconds(50);
// What a stranger sends between two looks at it is memory that he decides about.
constexpr Duration kStrangersTick = milliseconds(10);
constexpr std::size_t kOverlayMax = wire::kOverlayNameBytesMax;

Result<Endpoint> own_endpoint(const std::string& text, std::string_view what,
                              const TransportOptions& options) {
  auto endpoint = Endpoint::parse(text);
  if (!endpoint) return endpoint;
  if (options.security == Security::insecure)
    if (auto allowed = require_loopback(*endpoint, what); !allowed)
      return tl::unexpected<Error>(std::move(allowed.error()));
  return endpoint;
}

Result<void> validate(const TransportOptions& options) {
  if (options.overlay.empty() || options.overlay.size() > kOverlayMax)
    return fail(ErrorCode::invalid, "overlay name must have 1 to 64 bytes");
  if (options.domain.size() > wire::kDomainBytesMax)
    return fail(ErrorCode::invalid, "domain label must have at most 64 bytes");
  if (options.data_high_water_mark < 1 || options.bulk_high_water_mark < 1 ||
      options.io_threads < 1 || options.peers_max < 1)
    return fail(ErrorCode::invalid, "transport limits must be positive");
  if (!(options.loss >= 0 && options.loss <= 1))
    return fail(ErrorCode::invalid, "loss must be between 0 and 1");
  return {};
}

}  // namespace

std::size_t Transport::KeyHash::operator()(const TransportKey& key) const {
  std::size_t value = 0;
  std::memcpy(&value, key.bytes.data(), sizeof value);
  return value;
}

Result<std::unique_ptr<Transport>> Transport::open(const TransportOptions& options,
                                                   Directory& directory, const Verifier& verifier,
                                                   TransportEvents& events) {
  if (auto valid = validate(options); !valid) return tl::unexpected<Error>(valid.error());
  auto listen = own_endpoint(options.listen, "listen address", options);
  if (!listen) return tl::unexpected<Error>(listen.error());
  Endpoint advertised = *listen;
  if (!options.advertise.empty()) {
    auto given = own_endpoint(options.advertise, "advertised address", options);
    if (!given) return tl::unexpected<Error>(given.error());
    advertised = *given;
  }
  zmq::context_t context = make_context(options);
  auto listeners = Listeners::open(context, *listen, options);
  if (!listeners) return tl::unexpected<Error>(listeners.error());
  if (options.advertise.empty() || advertised.port == 0) advertised.port = listeners->endpoint.port;

  auto watches = Watches::make();
  if (!watches) return tl::unexpected<Error>(watches.error());

  HostInfo self;
  fill_random(self.transport_key.bytes);
  self.addresses.push_back(advertised.text());
  self.domain = options.domain;
  self.location = options.location;
  std::unique_ptr<Transport> transport(new Transport(options, directory, verifier, events,
                                                     std::move(context), std::move(*listeners),
                                                     std::move(*watches), std::move(self)));
  if (auto watched = transport->watch_listeners(); !watched)
    return tl::unexpected<Error>(std::move(watched.error()));
  return transport;
}

Transport::Transport(const TransportOptions& options, Directory& directory,
                     const Verifier& verifier, TransportEvents& events, zmq::context_t context,
                     Listeners listeners, Watches watches, HostInfo self)
    : options_(options),
      directory_(directory),
      events_(events),
      context_(std::move(context)),
      listeners_(std::move(listeners)),
      self_(std::move(self)),
      admission_(directory, verifier, options_),
      watches_(std::move(watches)),
      greeter_(context_, options_, std::move(watches_.greetings)),
      loss_(options.loss_seed),
      jitter_(load_u64(self_.transport_key.bytes.data())),
      send_rate_(options.send_rate_max),
      receive_rate_(options.receive_rate_max),
      total_rate_(options.total_rate_max) {
  admission_.set_self(self_, {});
}

Transport::~Transport() { close({}); }

void Transport::close(Duration linger) {
  if (std::exchange(closed_, true)) return;
  admission_.stop();
  for (auto& [key, peer] : peers_) drop_connections(*peer, linger);
  listeners_.close();
}

void Transport::set_nodes(std::vector<wire::HelloNode> nodes) {
  admission_.set_self(self_, std::move(nodes));
}

void Transport::greet(const Endpoint& to, Time now, Greeter::Done done) {
  greeter_.greet(to, admission_.hello(), now, std::move(done));
}

Result<Transport::Watches> Transport::Watches::make() {
  auto listeners = Readiness::make();
  if (!listeners) return tl::unexpected<Error>(listeners.error());
  auto peers = Readiness::make();
  if (!peers) return tl::unexpected<Error>(peers.error());
  auto greetings = Readiness::make();
  if (!greetings) return tl::unexpected<Error>(greetings.error());
  return Watches{std::move(*listeners), std::move(*peers), std::move(*greetings)};
}

Result<void> Transport::watch_listeners() {
  for (const Channel channel : kChannels) {
    Listener& listener = listeners_.at(channel);
    if (auto added = watches_.listeners.add(listener.socket, &listener.frames_pending); !added)
      return added;
    auto added =
        watches_.listeners.add(listener.doorkeeper.socket(), &listener.connections_pending);
    if (!added) return added;
  }
  return {};
}

void Transport::add_poll_items(std::vector<zmq_pollitem_t>& items) {
  for (const int descriptor :
       {watches_.listeners.descriptor(), watches_.peers.descriptor(), greeter_.descriptor()})
    items.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
}

bool Transport::strangers() {
  for (const Channel channel : kChannels)
    if (listeners_.at(channel).doorkeeper.has_unproven()) return true;
  return false;
}

void Transport::tick(Time now) {
  now_ = now;
  greeter_.work(now);
  for (void* const tag : watches_.peers.take()) {
    auto& peer = *static_cast<Peer*>(tag);
    if (peer.data) peer.data->read();
    if (peer.bulk) peer.bulk->read();
    look_after(peer, now);
  }
  if (now >= next_sweep_) {
    for (const Channel channel : kChannels) listeners_.at(channel).doorkeeper.sweep(now);
    next_sweep_ = now + (strangers() ? kStrangersTick : kTick);
  }
  if (now < next_tick_) return;
  next_tick_ = now + kTick;
  for (auto& [key, peer] : peers_) look_after(*peer, now);
  admission_.expire(now);
}

void Transport::look_after(Peer& peer, Time now) {
  if (peer.data && !peer.data->works(now, options_.handshake_timeout)) {
    connection_lost(peer, now);
  } else if (peer.bulk && !peer.bulk->works(now, options_.handshake_timeout)) {
    peer.bulk->close({});
    peer.bulk.reset();
    if (!peer.queue.empty(Priority::bulk)) schedule(peer);
  } else if (peer.bulk && peer.queue.empty(Priority::bulk) &&
             now - peer.last_bulk > options_.idle_timeout / 4) {
    peer.bulk->close(options_.handshake_timeout);
    peer.bulk.reset();
  } else if (peer.data && peer.queue.empty() && now - peer.last_used > options_.idle_timeout) {
    drop_connections(peer, options_.handshake_timeout);
    peer.state = Peer::State::idle;
  }
}

Time Transport::next_deadline(bool reading) const {
  Time next = std::min(next_tick_, next_sweep_);
  if (listeners_.admission.frames_pending || greeter_.has_unseen()) return Time::min();
  if (reading && frames_pending())
    next = std::min(next, std::max(receive_rate_.next(now_), total_rate_.next(now_)));
  for (const Peer* peer : to_flush_) next = std::min(next, peer->retry_at);
  if (rate_held_) next = std::min(next, std::max(send_rate_.next(now_), total_rate_.next(now_)));
  return next;
}

bool Transport::drained() const {
  for (const auto& [key, peer] : peers_)
    if (!peer->queue.empty() && peer->state != Peer::State::resting) return false;
  return true;
}

std::size_t Transport::connected_peers() const {
  std::size_t count = 0;
  for (const auto& [key, peer] : peers_)
    if (peer->data && peer->data->up()) ++count;
  return count;
}

std::size_t Transport::queued_bytes(const HostInfo& host) const {
  const auto found = peers_.find(host.transport_key);
  return found == peers_.end() ? 0 : found->second->queue.bytes();
}

void Transport::add_admission_counters(Counters& counters) const {
  counters.hellos_accepted = admission_.accepted();
  counters.hellos_refused = admission_.refused();
}

}  // namespace pastry::host
