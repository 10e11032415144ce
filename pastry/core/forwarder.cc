#include "pastry/core/forwarder.h"

#include <algorithm>

#include "pastry/core/marks.h"
#include "pastry/core/nearest_replica.h"
#include "pastry/core/nearness.h"
#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"

namespace pastry {

namespace {

// A previous hop is told of the same entry at most this often: it may get the reply late, or have
// reasons of its own not to use the entry.
constexpr Duration kHelpPause = std::chrono::seconds(1);
constexpr std::size_t kHelpsKept = 16;

// Of the source itself and not of its handle, which the directory may give to another peer while
// this is remembered; every node counts its messages from one. The salt is this node's secret:
// nobody can choose a message that passes for another one.
std::uint64_t identity(const Directory& directory, const RouteHeader& header, std::uint64_t salt) {
  const NodeId& source = directory.id(header.source);
  std::uint64_t x = salt;
  for (const std::uint64_t part :
       {source.high(), source.low(), directory.incarnation(header.source), header.sequence}) {
    x = (x ^ part) * 0x9e3779b97f4a7c15ULL;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 32;
  }
  return x;
}

}  // namespace

Forwarder::Traffic& Forwarder::traffic() {
  if (!traffic_) traffic_ = std::make_unique<Traffic>();
  return *traffic_;
}

// --- Inputs
// ------------------------------------------------------------------------------------------

void Forwarder::start(NodeState& node, Step& step, LocalRoute&& work) {
  process(node, step, std::move(work));
}

void Forwarder::receive(NodeState& node, Step& step, Handle from, Routed&& message) {
  if (!node.placed() || message.header.source == kNoHandle) {
    note(*node.config, Mark::message_refused_not_placed);
    ++node.counters.refused;  // unacknowledged: the sender takes another way
    return;
  }
  // What waited in the queues of a node that had stopped is old: others delivered it meanwhile, or
  // its sender still repeats it.
  if (node.suspended() && !node.leases.validated()) {
    ++node.counters.dropped;
    return;
  }
  if (message.header.witnessed) return witness(node, step, from, std::move(message));
  process(node, step, {std::move(message), from, kNoHandle, kNever, false, Custody::due});
}

void Forwarder::process(NodeState& node, Step& step, LocalRoute&& work) {
  // Who has no place yet does not know the way either.
  if (node.joining()) return keep(node, step, std::move(work));
  Routed& message = work.message;
  const Handle previous = work.previous;
  RouteHeader& header = message.header;
  if (header.hops > node.config->hops_max) {
    take_over(work);
    return give_up(node, step, header, "hop limit reached");
  }
  if (previous != kNoHandle && header.reroutes > 0 && delivered_here(node, header)) {
    take_over(work);
    note(*node.config, Mark::duplicate_dropped);
    ++node.counters.duplicates;
    return finish_here(node, step, header, RouteResult::delivered);
  }
  Handle next = choose_next(node, message, work.hint);
  if (must_wait(node, step, message, next)) return keep(node, step, std::move(work));
  take_over(work);
  Application* application = work.offered ? nullptr : node.application(header.application);
  if (application != nullptr) {
    ForwardedMessage view{
        header.key, std::move(message.payload), header.source, previous, next, header.hops,
        header.kind};
    const ForwardDecision decision =
        application->forward(node.context(step, header.application), view);
    if (decision == ForwardDecision::stop) {
      return finish_here(node, step, header, RouteResult::delivered);
    }
    message.payload = std::move(view.payload);
    if (view.key != header.key) {
      header.key = view.key;
      if (view.next_hop == next) {
        view.next_hop = choose_next(node, message, kNoHandle);
        if (must_wait(node, step, message, view.next_hop)) {
          work.offered = true;
          return keep(node, step, std::move(work));
        }
      }
    }
    if (node.directory->valid(view.next_hop)) next = view.next_hop;
  }
  if (next == node.self) {
    deliver(node, step, std::move(message), previous);
  } else {
    if (previous != kNoHandle) help_previous(node, step, header, previous, next);
    send_hop(node, step, next, std::move(message), 0);
  }
}

bool Forwarder::must_wait(const NodeState& node, const Step& step, const Routed& message,
                          Handle next) const {
  if (next == kNoHandle) return true;  // nobody known is nearer, and this node is not the root
  const RouteHeader& header = message.header;
  return next == node.self && header.kind == LookupKind::consistent &&
         !node.may_deliver(header.key, step.now);
}

void Forwarder::keep(NodeState& node, Step& step, LocalRoute&& work) {
  Traffic& t = traffic();
  if (held_already(work)) return;
  if (t.kept.size() >= node.config->inactive_buffer_max && !PASTRY_BUG(waiting_unbounded)) {
    if (work.custody != Custody::here) {
      ++node.counters.dropped;  // the hop before still has it
      return;
    }
    return give_up(node, step, work.message.header, "too many messages wait for a root");
  }
  if (work.keep_until == kNever) {
    // A crashed root's keys wait for its leases, and a joiner for its batch.
    work.keep_until = step.now + node.config->keep_max();
  }
  t.kept_until = std::min(t.kept_until, work.keep_until);
  // Guards and activation release what waits; where nobody nearer was known the leaf set is being
  // repaired.
  if (node.placed()) {
    t.retry_kept_at = std::min(t.retry_kept_at, step.now + node.config->probe_timeout);
  }
  if (work.custody == Custody::due) {
    owe_ack(work.previous, work.message.header.hop_sequence, true);
    work.custody = Custody::held;
  }
  t.kept.push_back(std::move(work));
}

void Forwarder::check_kept(NodeState& node, Step& step) {
  Traffic& t = *traffic_;
  if (t.kept_until <= step.now) {
    std::vector<LocalRoute> waiting = std::exchange(t.kept, {});
    t.kept_until = kNever;
    for (LocalRoute& work : waiting) {
      if (work.keep_until <= step.now) {
        take_over(work);  // who has a copy must not begin anew
        give_up(node, step, work.message.header, "nobody became root in time");
      } else {
        t.kept_until = std::min(t.kept_until, work.keep_until);
        t.kept.push_back(std::move(work));
      }
    }
  }
  if (t.retry_kept_at <= step.now) release_kept(node, step);
}

Handle Forwarder::choose_next(NodeState& node, const Routed& message, Handle hint) const {
  const RouteHeader& header = message.header;
  if (hint != kNoHandle && hint != node.self && !node.liveness.suspected(hint)) return hint;
  if (header.kind == LookupKind::replica) {
    if (node.knows_replica_set(header.key, header.replicas)) {
      const std::vector<Handle> set =
          replica_set(*node.directory, node.tables, node.self, header.key, header.replicas);
      if (std::find(set.begin(), set.end(), node.self) != set.end()) return node.self;
    }
  }
  const std::vector<Handle>& suspects = node.liveness.suspects();
  std::vector<Handle> both;
  std::span<const Handle> excluded = header.avoid;
  if (!suspects.empty()) {
    both = header.avoid;
    both.insert(both.end(), suspects.begin(), suspects.end());
    excluded = both;
  }
  if (header.kind == LookupKind::replica) {
    const Handle near = nearest_replica(*node.directory, node.tables, node.self, header.key,
                                        header.replicas, excluded);
    if (near != kNoHandle) return near;
  }
  NextHop next = next_hop(*node.directory, node.tables, header.key, excluded);
  // Everybody is suspected: better a suspect than nobody.
  if (next.rule == RoutingRule::stuck) note(*node.config, Mark::everybody_suspected);
  if (next.rule == RoutingRule::stuck) next = next_hop(*node.directory, node.tables, header.key);
  return next.rule == RoutingRule::deliver ? node.self : next.node;
}

// --- Sending
// -------------------------------------------------------------------------------------------

void Forwarder::send_hop(NodeState& node, Step& step, Handle next, Routed&& message,
                         std::uint8_t attempts, Time held_until) {
  Traffic& t = traffic();
  if (t.waiting >= node.config->unacknowledged_max && !PASTRY_BUG(unacknowledged_unbounded)) {
    note(*node.config, Mark::unacknowledged_full);
    return give_up(node, step, message.header, "too many unacknowledged messages");
  }
  if (attempts == 0) {
    ++message.header.hops;
    ++node.counters.forwarded;
  }
  message.header.hop_sequence = ++last_hop_sequence_;
  Hop& hop = t.hops[index(next)];
  hop.used_at = step.now;
  // Of this hop alone: a message that comes from a silent one must not wait longer for the next.
  const Duration first = hop.rtt.known() ? Duration() : first_timeout(node, next);
  const Duration once = hop.rtt.timeout(first, node.config->rto_min, node.config->rto_max);
  const Duration wait =
      std::min(once * (1 << std::min<int>(hop.backoff, kBackoffMax)), node.config->rto_max);
  const Time deadline = step.now + wait;
  node.send(step, next, Routed(message), Priority::application);
  hop.waiting.push_back({last_hop_sequence_, static_cast<std::uint8_t>(attempts + 1), false,
                         step.now, deadline, held_until, std::move(message)});
  ++t.waiting;
  t.retransmit_at = std::min(t.retransmit_at, deadline);
  if (t.sweep_at == kNever) t.sweep_at = step.now + kHopIdle;
}

// A hop that was not used of late: its distance tells what to expect, and a probe measured that
// only once or twice.
Duration Forwarder::first_timeout(const NodeState& node, Handle next) {
  const Config& config = *node.config;
  const Duration time = known_round_trip(config, *node.directory, node.tables, next);
  if (time < Duration::zero()) return config.rto_initial;
  return std::min(std::max(time * 2, config.rto_min * 2), config.rto_initial);
}

void Forwarder::deliver(NodeState& node, Step& step, Routed&& message, Handle previous) {
  const RouteHeader& header = message.header;
  if (previous != kNoHandle && is_duplicate(node, step, header)) {
    note(*node.config, Mark::duplicate_dropped);
    ++node.counters.duplicates;
    return finish_here(node, step, header, RouteResult::delivered);
  }
  Application* application = node.application(header.application);
  if (application == nullptr) return finish_here(node, step, header, RouteResult::refused);
  ++node.counters.delivered;
  const RouteHeader kept = header;
  application->deliver(node.context(step, header.application),
                       {header.key, std::move(message.payload), header.source, previous,
                        header.sequence, header.hops, header.kind});
  finish_here(node, step, kept, RouteResult::delivered);
}

void Forwarder::finish_here(NodeState& node, Step& step, const RouteHeader& header,
                            RouteResult result) {
  if (!header.wants_outcome) return;
  if (header.source == node.self) {
    const Handle root = result == RouteResult::delivered ? node.self : kNoHandle;
    step.work.emplace_back(LocalOutcome{header.sequence, result, root, header.hops});
  } else if (node.id(header.source) != node.self_id()) {  // an earlier life of this node asked
    node.send(step, header.source, Outcome{header.sequence, result, header.hops},
              Priority::application);
  }
}

void Forwarder::give_up(NodeState& node, Step& step, const RouteHeader& header,
                        const char* reason) {
  ++node.counters.dropped;
  node.emit(step, MessageDropped{header.key, reason});
  finish_here(node, step, header, RouteResult::undeliverable);
}

// Also where another node has become the root since.
bool Forwarder::delivered_here(const NodeState& node, const RouteHeader& header) const {
  if (!traffic_ || traffic_->salt == 0 || PASTRY_BUG(duplicate_not_removed)) return false;
  const std::uint64_t id = identity(*node.directory, header, traffic_->salt);
  return traffic_->seen.contains(id) || traffic_->seen_before.contains(id);
}

bool Forwarder::is_duplicate(NodeState& node, Step& step, const RouteHeader& header) {
  Traffic& t = traffic();
  if (t.salt == 0) t.salt = node.random.next();
  const std::uint64_t id = identity(*node.directory, header, t.salt);
  if (PASTRY_BUG(duplicate_not_removed)) return false;
  if (t.seen.contains(id) || t.seen_before.contains(id)) return true;
  if (t.seen.size() >= node.config->duplicate_max / 2 ||
      (PASTRY_BUG(duplicate_forgotten_early) && t.seen.size() > 1)) {
    t.seen_before = std::exchange(t.seen, {});
  }
  t.seen.insert(id);
  if (t.seen_rotates == kNever) t.seen_rotates = step.now + node.config->duplicate_memory;
  return false;
}

// Passive repair [Pastry §2.4, MSPastry §4.3]: the previous hop shares as long a prefix with the
// key as this node but did not have the entry that this node uses.
void Forwarder::help_previous(NodeState& node, Step& step, const RouteHeader& header,
                              Handle previous, Handle next) {
  const int b = node.config->digit_bits;
  const int row = shared_prefix(node.self_id(), header.key, b);
  if (row >= digit_count(b) || shared_prefix(node.id(next), header.key, b) <= row) return;
  if (shared_prefix(node.id(previous), header.key, b) != row) return;
  auto& helped = traffic().helped;
  helped.resize(kHelpsKept);
  Help& last = helped[(index(previous) * 0x9e3779b1U ^ index(next) * 0x85ebca6bU) % kHelpsKept];
  if (last.previous == previous && last.next == next && step.now < last.until) return;
  last = {previous, next, step.now + kHelpPause};
  node.send(step, previous, RowReply{{{next, Proximity()}}});
}

// --- Acknowledgements
// --------------------------------------------------------------------------------

void Forwarder::owe_ack(Handle to, std::uint32_t hop_sequence, bool held) {
  Traffic& t = traffic();
  Hop& hop = t.hops[index(to)];
  if (hop.acks.empty() && hop.holds.empty()) t.owed.push_back(to);
  auto& acks = held ? hop.holds : hop.acks;
  if (!acks.empty() && acks.back().first + acks.back().second == hop_sequence) {
    ++acks.back().second;
  } else {
    acks.emplace_back(hop_sequence, 1);
  }
}

void Forwarder::flush(NodeState& node, Step& step) {
  if (!owes()) return;
  Traffic& t = *traffic_;
  for (const Handle peer : t.owed) {
    Hop& hop = t.hops[index(peer)];
    hop.used_at = step.now;
    if (!hop.acks.empty()) node.send(step, peer, HopAck{std::exchange(hop.acks, {}), false});
    if (!hop.holds.empty()) node.send(step, peer, HopAck{std::exchange(hop.holds, {}), true});
  }
  t.owed.clear();
  if (t.sweep_at == kNever) t.sweep_at = step.now + kHopIdle;
}

void Forwarder::acknowledged(NodeState& node, Step& step, Handle from, const HopAck& ack) {
  if (!traffic_) return;
  auto& hops = traffic_->hops;
  if (const auto found = hops.find(index(from)); found != hops.end()) {
    settle(node, step, from, found->second, ack);
  }
  if (!ack.held && !traffic_->held.empty()) drop_held(node, from, ack);
  if (!node.directory->has_twins(from)) return;
  // Sent to an incarnation that is gone, taken by the one that came back to the same address.
  for (auto& [peer, hop] : hops) {
    if (Handle{peer} == from || node.id(Handle{peer}) != node.id(from)) continue;
    if (hop.head < hop.waiting.size()) note(*node.config, Mark::acknowledged_by_newer);
    settle(node, step, Handle{peer}, hop, ack);
  }
}

// Every message of this node has another sequence, whoever it went to.
void Forwarder::settle(NodeState& node, Step& step, Handle peer, Hop& hop, const HopAck& ack) {
  auto& waiting = hop.waiting;
  for (const auto& [first, count] : ack.ranges) {
    auto entry =
        std::lower_bound(waiting.begin() + static_cast<std::ptrdiff_t>(hop.head), waiting.end(),
                         first, [](const Unacknowledged& u, std::uint32_t sequence) {
                           return static_cast<std::int32_t>(u.hop_sequence - sequence) < 0;
                         });
    Time sampled = kNever;
    for (; entry != waiting.end() && entry->hop_sequence - first < count; ++entry) {
      if (entry->acknowledged) continue;
      sampled = entry->sent_at;
      if (ack.held) hold(node, step, peer, *entry);
      entry->acknowledged = true;
      entry->message = {};
      --traffic_->waiting;
    }
    if (sampled == kNever) continue;
    hop.rtt.sample(step.now - sampled);
    hop.acknowledged_at = step.now;
    hop.backoff = 0;
  }
  trim(hop);
}

bool Forwarder::acknowledged_since(Handle peer, Time since) const {
  if (!traffic_) return false;
  const auto found = traffic_->hops.find(index(peer));
  return found != traffic_->hops.end() && found->second.acknowledged_at >= since;
}

void Forwarder::trim(Hop& hop) {
  auto& waiting = hop.waiting;
  while (hop.head < waiting.size() && waiting[hop.head].acknowledged) ++hop.head;
  if (hop.head == waiting.size()) {
    waiting.clear();
    hop.head = 0;
  } else if (hop.head > 64 && hop.head > waiting.size() / 2) {
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(hop.head));
    hop.head = 0;
  }
}

// --- Views
// -------------------------------------------------------------------------------------------

bool Forwarder::delivers(NodeState& node, const Key& key) const {
  if (!node.active()) return false;
  Routed message;
  message.header.key = key;
  return choose_next(node, message, kNoHandle) == node.self;
}

void Forwarder::count(NodeLoad& load) const {
  if (!traffic_) return;
  load.unacknowledged = traffic_->waiting;
  load.kept = traffic_->kept.size();
  load.copies = traffic_->held.size();
}

void Forwarder::mark_handles(Directory& directory) const {
  if (!traffic_) return;
  const auto mark = [&](const RouteHeader& header) {
    directory.mark(header.source);
    for (const Handle peer : header.avoid) directory.mark(peer);
  };
  for (const auto& [peer, hop] : traffic_->hops) {
    directory.mark(Handle{peer});
    for (std::size_t i = hop.head; i < hop.waiting.size(); ++i) {
      if (!hop.waiting[i].acknowledged) mark(hop.waiting[i].message.header);
    }
  }
  for (const Held& copy : traffic_->held) {
    directory.mark(copy.peer);
    mark(copy.message.header);
  }
  for (const LocalRoute& kept : traffic_->kept) {
    mark(kept.message.header);
    for (const Handle peer : {kept.previous, kept.hint}) {
      if (peer != kNoHandle) directory.mark(peer);
    }
  }
}

}  // namespace pastry
