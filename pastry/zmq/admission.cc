#include "pastry/zmq/admission.h"

#include <spdlog/spdlog.h>

#include "pastry/core/duration_text.h"
#include "pastry/zmq/endpoint.h"
#include "pastry/zmq/greeter.h"

namespace pastry::host {
namespace {

// What of `ring` is not as in `other`.
std::string differing(const wire::RingParameters& ring, const wire::RingParameters& other) {
  std::string text;
  const auto add = [&](bool differs, const std::string& value) {
    if (differs) text += (text.empty() ? "" : " and ") + value;
  };
  add(ring.leaf_set != other.leaf_set, "leaf set " + std::to_string(ring.leaf_set));
  add(ring.digit_bits != other.digit_bits, std::to_string(ring.digit_bits) + " bits per digit");
  const auto time = [](std::uint32_t ms) { return duration_text(std::chrono::milliseconds(ms)); };
  add(ring.lease_ms != other.lease_ms, "leases of " + time(ring.lease_ms));
  add(ring.heartbeat_ms != other.heartbeat_ms, "heartbeats of " + time(ring.heartbeat_ms));
  return text;
}

}  // namespace

bool OncePerKey::first(const std::string& key) {
  if (seen_.size() >= kMax) seen_.clear();
  return seen_.insert(key).second;
}

void Admission::set_self(HostInfo host, std::vector<wire::HelloNode> nodes) {
  hello_.overlay = options_.overlay;
  hello_.ring = {static_cast<std::uint16_t>(options_.leaf_set),
                 static_cast<std::uint8_t>(options_.digit_bits), options_.lease_ms,
                 options_.heartbeat_ms};
  hello_.host = std::move(host);
  hello_.nodes = std::move(nodes);
}

Bytes Admission::answer(ByteView frame, const std::string& from, Time now) {
  auto hello = wire::decode_hello(frame);
  if (!hello) {
    const auto reason = hello.error().code == ErrorCode::incompatible
                            ? wire::HelloRefusal::incompatible_version
                            : wire::HelloRefusal::malformed;
    return refuse({reason, hello.error().message}, {}, from);
  }
  auto process = admit(*hello, now);
  if (!process) return refuse(process.error(), hello->challenge, from);

  wire::HelloAccepted accepted;
  accepted.version = *wire::common_version(hello_.versions, hello->versions);
  accepted.features = hello_.features & hello->features;
  accepted.host = hello_.host;
  accepted.nodes = hello_.nodes;
  accepted.echo = hello->challenge;
  fill_random(accepted.challenge);
  (*process)->token = load_u64(accepted.challenge.data());
  by_token_[(*process)->token] = *process;
  ++accepted_;
  auto bytes = wire::encode(wire::HelloReply(std::move(accepted)));
  return bytes ? std::move(*bytes) : Bytes{};
}

Bytes Admission::refuse(const Refusal& refusal, const wire::Challenge& echo,
                        const std::string& from) {
  ++refused_;
  if (logged_.first(from + std::string(wire::name(refusal.reason))))
    spdlog::warn("refused a hello from {}: {}, {}", from, wire::name(refusal.reason),
                 refusal.detail);
  wire::HelloRefused refused{refusal.reason, refusal.detail.substr(0, wire::kReasonBytesMax),
                             hello_.versions, echo};
  auto bytes = wire::encode(wire::HelloReply(std::move(refused)));
  return bytes ? std::move(*bytes) : Bytes{};
}

tl::expected<std::vector<PeerInfo>, Admission::Refusal> Admission::examine(
    const wire::Hello& hello) const {
  using wire::HelloRefusal;
  const auto refusal = [](HelloRefusal reason, std::string detail) {
    return tl::unexpected<Refusal>(Refusal{reason, std::move(detail)});
  };
  if (stopping_) return refusal(HelloRefusal::stopping, "this process is stopping");
  if (hello.overlay != options_.overlay)
    return refusal(HelloRefusal::wrong_overlay, "this is overlay '" + options_.overlay + "'");
  if (auto version = wire::common_version(hello_.versions, hello.versions); !version)
    return refusal(HelloRefusal::incompatible_version, version.error().message);
  if (hello.ring != hello_.ring)
    return refusal(HelloRefusal::other_parameters,
                   "this overlay has " + differing(hello_.ring, hello.ring) +
                       ", the joining process " + differing(hello.ring, hello_.ring) +
                       "; all must have the same");
  if (hello.host.addresses.empty())
    return refusal(HelloRefusal::malformed, "the process names no address");
  for (const std::string& address : hello.host.addresses) {
    const auto endpoint = Endpoint::parse(address);
    if (!endpoint) return refusal(HelloRefusal::malformed, endpoint.error().message);
    if (options_.security == Security::insecure && !endpoint->loopback())
      return refusal(HelloRefusal::not_loopback, "without identity only loopback is allowed");
  }
  std::vector<PeerInfo> peers;
  for (const wire::HelloNode& node : hello.nodes) {
    peers.push_back(wire::peer_info(hello.host, node));
    if (auto verified = verifier_.verify(peers.back()); !verified)
      return refusal(HelloRefusal::unverified, verified.error().message);
  }
  return peers;
}

tl::expected<AdmittedProcess*, Admission::Refusal> Admission::admit(const wire::Hello& hello,
                                                                    Time now) {
  auto peers = examine(hello);
  if (!peers) return tl::unexpected<Refusal>(std::move(peers.error()));
  auto known = by_key_.find(hello.host.transport_key);
  if (known == by_key_.end()) {
    if (by_key_.size() >= options_.peers_max && !make_room(now))
      return tl::unexpected<Refusal>(
          Refusal{wire::HelloRefusal::full, "no room for another process, try again later"});
    known = by_key_.emplace(hello.host.transport_key, std::make_unique<AdmittedProcess>()).first;
  }
  AdmittedProcess& process = *known->second;
  by_token_.erase(process.previous_token);
  process.previous_token = process.token;
  process.host = hello.host;
  process.last_heard = now;
  process.nodes.clear();
  process.index = kNoHost;
  for (const PeerInfo& peer : *peers) {
    const Handle handle = directory_.intern(peer);
    if (handle == kNoHandle) continue;  // full: its messages will be refused as unknown
    process.nodes.push_back(handle);
    process.index = directory_.host_index(handle);
  }
  return &process;
}

bool Admission::make_room(Time now) {
  AdmittedProcess* oldest = nullptr;
  for (auto& [key, process] : by_key_)
    if (oldest == nullptr || process->last_heard < oldest->last_heard) oldest = process.get();
  if (oldest == nullptr || now - oldest->last_heard <= options_.idle_timeout) return false;
  forget(*oldest);
  return true;
}

void Admission::forget(AdmittedProcess& process) {
  by_token_.erase(process.token);
  by_token_.erase(process.previous_token);
  by_key_.erase(TransportKey(process.host.transport_key));
}

void Admission::expire(Time now) {
  std::vector<AdmittedProcess*> silent;
  for (auto& [key, process] : by_key_)
    if (now - process->last_heard > 3 * options_.idle_timeout) silent.push_back(process.get());
  for (AdmittedProcess* process : silent) forget(*process);
}

void Admission::mark_handles() {
  for (auto& [key, process] : by_key_)
    for (const Handle node : process->nodes) directory_.mark(node);
}

}  // namespace pastry::host
