// Steps of the nodes, and carrying out what they cause.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "pastry/zmq/host_impl.h"

namespace pastry::host {
namespace {

constexpr std::size_t kContactsMax = 256;
// Endpoints that a join asks.
constexpr std::size_t kEndpointsMax = 64;

ErrorCode code_or(const Result<wire::Decoded>& decoded) { return decoded.error().code; }

}  // namespace

template <typename Input>
void Host::Impl::step(std::size_t index, Input&& input) {
  LocalNode& local = nodes_[index];
  in_step_ = true;
  input(*local.node);
  in_step_ = false;
  if (!local.touched) {
    local.touched = true;
    touched_.push_back(index);
  }
  if (!outbox_.empty()) carry_out(index);
}

void Host::Impl::carry_out(std::size_t index) {
  // The process may have been stopped since the step began, and its leases may be gone: what only
  // the root may say then goes nowhere, as if the process had died at that moment.
  const Node& node = *nodes_[index].node;
  if (node.active() && !node.holds_leases(read_clock())) withhold();
  for (Send& send : outbox_.sends) carry_out_send(index, send);
  for (StorageRequest& request : outbox_.storage) carry_out_storage(request);
  for (NodeEvent& event : outbox_.events) events_.emplace_back(index, std::move(event));
  outbox_.clear();
}

void Host::Impl::withhold() {
  const auto speaks_for_root = [](const Send& send) {
    return std::holds_alternative<Outcome>(send.message) ||
           std::holds_alternative<HopAck>(send.message) ||
           std::holds_alternative<Direct>(send.message) ||
           std::holds_alternative<Lease>(send.message);
  };
  const std::size_t withheld = std::erase_if(outbox_.sends, speaks_for_root);
  for (const StorageRequest& request : outbox_.storage) {
    complete(request, ErrorCode::unavailable, "this process was stopped for too long");
  }
  spdlog::warn("stopped in the middle of a step: {} messages and {} storage requests withheld",
               withheld, outbox_.storage.size());
  outbox_.storage.clear();
}

void Host::Impl::carry_out_send(std::size_t index, Send& send) {
  const HostIndex to = directory_.host_index(send.to);
  if (to == own_host_) {
    const auto found = by_id_.find(directory_.id(send.to));
    if (found == by_id_.end() || nodes_[found->second].handle != send.to) {
      ++counters_.dropped_unknown;
      return;
    }
    if (lost_locally()) return;
    if (blocked(nodes_[index].handle)) return;
    if (inbox_.full()) {
      ++counters_.dropped_full;
      return;
    }
    ++counters_.messages_local;
    inbox_.add(now_, nodes_[index].node->id(), found->first,
               {found->second, nodes_[index].handle, std::move(send.message)});
    return;
  }
  if (auto encoded = codec_->encode(nodes_[index].handle, send.to, send.message, frames_);
      !encoded) {
    ++counters_.dropped_malformed;
    spdlog::error("cannot encode a {} message: {}", wire::kind_of(send.message),
                  encoded.error().message);
    return;
  }
  note_contact(index, send.to, to);
  transport_->send(to, send.priority, frames_.header, std::move(frames_.payload), now_);
}

void Host::Impl::note_contact(std::size_t index, Handle peer, HostIndex host) {
  const auto at = static_cast<std::size_t>(pastry::index(host));
  if (at >= contacts_.size()) contacts_.resize(at + 1);
  std::vector<Contact>& contacts = contacts_[at];
  const Contact contact{index, peer};
  if (contacts.size() < kContactsMax &&
      std::find(contacts.begin(), contacts.end(), contact) == contacts.end())
    contacts.push_back(contact);
}

bool Host::Impl::lost_locally() {
  const double loss = options_.transport.loss;
  if (loss <= 0) return false;
  constexpr std::uint64_t kScale = 1U << 30;
  if (static_cast<double>(loss_.below(kScale)) >= loss * static_cast<double>(kScale)) return false;
  ++counters_.dropped_loss;
  return true;
}

void Host::Impl::carry_out_storage(StorageRequest& request) {
  const bool digest = std::holds_alternative<ComputeDigest>(request.operation);
  Worker* worker = digest ? digests_.get() : storage_.get();
  if (worker == nullptr) {
    complete(request, ErrorCode::failed, "this process has no storage");
  } else if (!worker->submit(request)) {
    ++counters_.storage_refused;
    // Not `full`: nothing is wrong with the disk, and a client should try again.
    complete(request, ErrorCode::unavailable, "too many storage requests wait already");
  }
}

void Host::Impl::complete(const StorageRequest& request, ErrorCode code, const char* why) {
  completions_.push_back({request.node, request.application, request.tag, fail(code, why)});
}

// Whether the sender is cut off from the nodes here.
bool Host::Impl::blocked(Handle from) {
  if (blocked_.empty() || !blocked_.contains(directory_.id(from))) return false;
  ++counters_.dropped_loss;
  return true;
}

bool Host::Impl::arrived(const AdmittedProcess& from, ByteView header, Payload payload) {
  auto decoded = codec_->decode(header, std::move(payload));
  if (!decoded) {
    // A sender that is not known (yet) is no fault of the bytes.
    if (code_or(decoded) == ErrorCode::not_found || code_or(decoded) == ErrorCode::full) {
      ++counters_.dropped_unadmitted;
      return true;
    }
    ++counters_.dropped_malformed;
    return false;
  }
  if (from.nodes.empty() || directory_.host_index(decoded->from) != from.index) {
    ++counters_.dropped_unadmitted;
    return false;
  }
  const auto found = by_id_.find(decoded->destination);
  if (found == by_id_.end() ||
      directory_.incarnation(nodes_[found->second].handle) != decoded->destination_incarnation) {
    ++counters_.dropped_unknown;
    return true;
  }
  if (blocked(decoded->from)) return true;
  if (inbox_.delays()) {
    inbox_.add(read_clock(), directory_.id(decoded->from), decoded->destination,
               {found->second, decoded->from, std::move(decoded->message)});
  } else {
    deliver(found->second, decoded->from, std::move(decoded->message));
  }
  return true;
}

void Host::Impl::deliver(std::size_t index, Handle from, Message&& message) {
  // Timers that came due while this process did not run come first: a lease may have ended.
  if (nodes_[index].deadline <= now_) advance(index);
  step(index, [&](Node& node) { node.receive(now_, from, std::move(message), outbox_); });
}

void Host::Impl::run_on_node(std::size_t index, ApplicationId application,
                             std::function<void(Context)> action) {
  if (in_step_) {
    deferred_.push_back([this, index, application, action = std::move(action)]() mutable {
      run_on_node(index, application, std::move(action));
    });
    return;
  }
  now_ = read_clock();
  step(index, [&](Node& node) { node.run(now_, application, outbox_, action); });
}

void Host::Impl::found(std::size_t index) {
  now_ = read_clock();
  step(index, [&](Node& node) { node.found(now_, outbox_); });
}

Result<void> Host::Impl::join(std::size_t index, const std::vector<std::string>& endpoints,
                              std::span<const PeerInfo> remembered, bool was_member) {
  std::vector<Endpoint> ask;
  const auto add = [&](const std::string& text, bool trusted) -> Result<void> {
    auto endpoint = Endpoint::parse(text);
    if (!endpoint) return trusted ? tl::unexpected<Error>(endpoint.error()) : Result<void>{};
    if (auto allowed = require_loopback(*endpoint, "the address to join through"); !allowed)
      return trusted ? tl::unexpected<Error>(allowed.error()) : Result<void>{};
    if (trusted && endpoint->port == 0)
      return fail(ErrorCode::invalid, "cannot join through '" + text + "': it has no port");
    const bool known = std::find(ask.begin(), ask.end(), *endpoint) != ask.end();
    if (!known && ask.size() < kEndpointsMax) ask.push_back(std::move(*endpoint));
    return {};
  };
  for (const std::string& endpoint : endpoints)
    if (auto added = add(endpoint, true); !added) return added;
  for (const PeerInfo& peer : remembered)
    for (const std::string& address : peer.host.addresses) (void)add(address, false);
  if (ask.empty()) return fail(ErrorCode::invalid, "no address to join through");

  now_ = read_clock();
  if (was_member) step(index, [&](Node& node) { node.join(now_, {}, true, outbox_); });
  Seeker::Hooks hooks;
  hooks.accepted = [this, index, was_member](const wire::HelloAccepted& answer) {
    welcomed(index, answer, was_member);
  };
  hooks.failed = [this, index](const Error& error) {
    events_.emplace_back(index, JoinFailed{error.message, error.code});
  };
  nodes_[index].seeker = std::make_unique<Seeker>(
      *transport_, std::move(ask), options_.config.join_retry_min / 2,
      options_.config.join_retry_max, options_.nodes[index].seed, std::move(hooks));
  return {};
}

void Host::Impl::welcomed(std::size_t index, const wire::HelloAccepted& answer, bool remembered) {
  std::vector<Handle> seeds;
  if (answer.host.transport_key == transport_->self().transport_key) {
    for (const LocalNode& local : nodes_) seeds.push_back(local.handle);
  } else {
    for (const wire::HelloNode& node : answer.nodes) {
      const PeerInfo peer = wire::peer_info(answer.host, node);
      if (!verifier_.verify(peer)) continue;
      const Handle handle = directory_.intern(peer);
      if (handle != kNoHandle) seeds.push_back(handle);
    }
  }
  std::erase(seeds, nodes_[index].handle);
  if (seeds.empty()) return;
  step(index, [&](Node& node) { node.join(now_, seeds, remembered, outbox_); });
}

void Host::Impl::take_completions() {
  if (storage_) storage_->take(completions_);
  if (digests_) digests_->take(completions_);
  std::vector<StorageCompletion> completions = std::exchange(completions_, {});
  for (StorageCompletion& completion : completions) {
    const auto found = by_id_.find(completion.node);
    if (found == by_id_.end()) continue;
    // A commit may have taken long: what it acknowledges must not rest on an old time.
    now_ = read_clock();
    step(found->second,
         [&](Node& node) { node.storage_completed(now_, std::move(completion), outbox_); });
  }
}

void Host::Impl::hand_on_hints() {
  std::vector<HostInfo> hosts = std::exchange(unreachable_, {});
  for (const HostInfo& info : hosts) {
    const auto at = static_cast<std::size_t>(pastry::index(directory_.intern_host(info)));
    if (at >= contacts_.size()) continue;
    const std::vector<Contact> contacts = std::exchange(contacts_[at], {});
    for (const Contact& contact : contacts)
      step(contact.node, [&](Node& node) { node.peer_unreachable(now_, contact.peer, outbox_); });
  }
}

void Host::Impl::deliver_due() {
  // A bound per turn: two local nodes may keep each other busy.
  constexpr std::size_t kPerTurn = 4096;
  InboxMessage next;
  for (std::size_t i = 0; i < kPerTurn && inbox_.next(now_, next); ++i) {
    read_clock();
    deliver(next.node, next.from, std::move(next.message));
  }
}

void Host::Impl::advance(std::size_t index) {
  step(index, [&](Node& node) { node.advance(now_, outbox_); });
  nodes_[index].deadline = nodes_[index].node->next_deadline();
}

void Host::Impl::advance_nodes() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].deadline <= now_) advance(i);
}

void Host::Impl::flush_nodes() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    const std::size_t index = touched_[i];
    LocalNode& local = nodes_[index];
    local.node->flush(now_, outbox_);
    if (!outbox_.empty()) carry_out(index);
    local.touched = false;
    local.deadline = local.node->next_deadline();
  }
  touched_.clear();
}

}  // namespace pastry::host
