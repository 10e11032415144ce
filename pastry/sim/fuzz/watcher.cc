#include "pastry/sim/fuzz/watcher.h"

#include <algorithm>
#include <cstring>

#include "pastry/core/midpoint.h"
#include "pastry/sim/checkers.h"

namespace pastry::sim::fuzz {
namespace {

// More events than this at one moment are a loop: no ring of a fuzzed size has so much to do.
constexpr std::uint64_t kEventsPerMoment = 100'000;
// Full tables change rarely and take long to check.
constexpr std::uint64_t kTableCheckInterval = 16;

std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ULL;
  return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ULL;
}

}  // namespace

Watcher::Watcher(Simulator& simulator, bool crash_only)
    : simulator_(simulator),
      crash_only_(crash_only),
      remembers_duplicates_(simulator.config().duplicate_max >= 65536),
      last_time_(simulator.now()) {
  simulator.hooks.send = [this](NodeIndex from, Handle to, const Message& message) {
    sent(from, to, message);
  };
  simulator.hooks.arrival = [this](NodeIndex to, Handle from, const Message& message) {
    arrived(to, from, message);
  };
  simulator.hooks.step = [this](NodeIndex node) { moved(node); };
  simulator.hooks.event = [this](NodeIndex node, const NodeEvent& event) { happened(node, event); };
}

void Watcher::fail(std::string rule, std::string what) {
  if (!violation_) violation_ = Violation{simulator_.now(), std::move(rule), std::move(what)};
}

std::string Watcher::who(NodeIndex node) const {
  if (node == kNoNode) return "nobody";
  return "n" + std::to_string(index(node)) + " (" + simulator_.id(node).hex().substr(0, 8) + ")";
}

std::string Watcher::who(Handle handle) const {
  if (handle == kNoHandle) return "nobody";
  return who(simulator_.node_of(handle)) + "/" +
         std::to_string(simulator_.directory().incarnation(handle));
}

// --- Applications --------------------------------------------------------------------------------

Payload Watcher::payload_for(const Key& key) {
  std::array<std::uint8_t, 24> bytes{};
  const std::array<std::uint64_t, 3> words = {key.high(), key.low(),
                                              mixed(key.high() ^ mixed(key.low()))};
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return Payload::copy_of(ByteView(bytes));
}

void Watcher::asked(Handle asker, OperationId operation) {
  questions_.emplace(std::pair(asker, operation), simulator_.now());
}

void Watcher::answered(Handle asker, OperationId operation) {
  if (questions_.erase({asker, operation}) == 0) {
    fail("outcome-once",
         who(asker) + " got a second answer to operation " + std::to_string(operation));
  }
}

void Watcher::delivered(NodeIndex node, const Delivery& delivery) {
  ++deliveries_;
  const Payload expected = payload_for(delivery.key);
  const ByteView bytes = delivery.payload.view();
  if (!std::equal(bytes.begin(), bytes.end(), expected.view().begin(), expected.view().end())) {
    fail("right-bytes", who(node) + " delivered other bytes than were sent");
  }
  // Of a replica lookup any of the k closest may be the end, also while it waits for its leases.
  if (delivery.kind == LookupKind::consistent && !simulator_.node(node).active()) {
    fail("inactive-silent",
         who(node) + " delivered key " + delivery.key.hex() + " though it is not active");
  }
  if (delivery.kind == LookupKind::consistent &&
      !is_rightful_root(simulator_, node, delivery.key)) {
    ++incorrect_;
    if (crash_only_) {
      fail("correct-delivery", "key " + delivery.key.hex() + " was delivered by " + who(node) +
                                   " instead of " + who(closest_active(simulator_, delivery.key)));
    }
  }
  const Handle self = simulator_.handle(node);
  const Time now = simulator_.now();
  const auto [first, fresh] =
      seen_.try_emplace({delivery.source, delivery.sequence}, Delivered{self, now});
  if (fresh) return;
  ++repeated_;
  const bool remembered = now - first->second.at < simulator_.config().duplicate_memory;
  if (first->second.by == self && remembered && remembers_duplicates_) {
    fail("delivered-once", who(node) + " delivered message " + std::to_string(delivery.sequence) +
                               " of " + who(delivery.source) + " twice");
  }
  first->second = {self, now};
}

// --- After each step -----------------------------------------------------------------------------

void Watcher::moved(NodeIndex node) {
  if (violation_) return;
  ++steps_;
  check_time();
  check_accounting();
  const Tables& tables = simulator_.node(node).tables();
  if (const Findings order = check_leaf_order(simulator_, node); !order.ok()) {
    fail("leaf-order", order.text());
  }
  if (static_cast<int>(tables.neighbourhood.size()) > simulator_.config().neighbourhood) {
    fail("caps", who(node) + " has more than |M| neighbours");
  }
  if (steps_ % kTableCheckInterval == 0) {
    check_table(node);
    check_load(node);
  }
  if (std::exchange(copies_ended_, false)) check_copies(node);
  if (crash_only_ && simulator_.active(node)) check_coverage(node);
}

void Watcher::check_time() {
  const Time now = simulator_.now();
  const std::uint64_t events = simulator_.counters().events;
  if (now < last_time_) fail("time", "time went backwards");
  if (now != last_time_) {
    last_time_ = now;
    events_then_ = events;
  } else if (events - events_then_ > kEventsPerMoment) {
    fail("time", std::to_string(kEventsPerMoment) + " events at one moment");
  }
}

void Watcher::check_accounting() {
  const SimulatorCounters& counters = simulator_.counters();
  std::uint64_t ended = counters.received;
  for (const std::uint64_t drops : counters.drops) ended += drops;
  if (counters.messages + counters.copies != ended + simulator_.in_flight()) {
    fail("accounting", std::to_string(counters.messages + counters.copies) + " messages, " +
                           std::to_string(ended) + " received or dropped, " +
                           std::to_string(simulator_.in_flight()) + " on their way");
  }
  if (counters.undirected_sends != 0) fail("accounting", "a message to nobody, or to its sender");
  for (const DropCause cause : {DropCause::unencodable, DropCause::undecodable}) {
    if (counters.drops[static_cast<std::size_t>(cause)] != 0) {
      fail("accounting", "a message was " + std::string(sim::name(cause)));
    }
  }
  if (simulator_.told() != nullptr && simulator_.told()->violations() != 0) {
    fail("told", simulator_.told()->examples().front());
  }
}

void Watcher::check_table(NodeIndex node) {
  const RoutingTable& table = simulator_.node(node).tables().routing_table;
  const int bits = simulator_.config().digit_bits;
  const NodeId& self = simulator_.id(node);
  table.for_each([&](Handle entry, Proximity) {
    const NodeId& id = simulator_.directory().id(entry);
    const int row = shared_prefix(self, id, bits);
    if (id == self || table.at(row, digit(id, row, bits)) != entry) {
      fail("table-slots", who(node) + " has " + who(entry) + " in a wrong slot");
    }
    const std::vector<bool>& heard = heard_[simulator_.handle(node)];
    if (index(entry) >= heard.size() || !heard[index(entry)]) {
      fail("reached-first", who(node) + " routes over " + who(entry) + ", which it never heard");
    }
  });
}

void Watcher::check_load(NodeIndex node) {
  const Config& config = simulator_.config();
  const NodeLoad load = simulator_.node(node).load();
  const auto within = [&](std::size_t size, std::size_t bound, const char* what) {
    if (size > bound) {
      fail("caps", who(node) + " keeps " + std::to_string(size) + " " + what + ", more than " +
                       std::to_string(bound));
    }
  };
  within(load.unacknowledged, config.unacknowledged_max, "unacknowledged messages");
  within(load.kept, config.inactive_buffer_max, "waiting messages");
  within(load.copies, config.inactive_buffer_max, "copies of waiting messages");
  // A batch that is given up goes back into the queue.
  within(load.joiners, config.gap_queue_max + config.gap_batch, "joiners");
  within(load.reserved, config.gap_batch, "reserved joiners");
  within(load.remembered_dead, config.failed_max, "remembered dead peers");
}

// Copies take places that others need, and who asks again for what was delivered long ago may have
// it delivered once more.
void Watcher::check_copies(NodeIndex node) {
  const std::size_t copies = simulator_.node(node).load().copies;
  const std::size_t most = copies_.copies_max(simulator_.handle(node));
  if (copies > most) {
    fail("copies-end", who(node) + " keeps " + std::to_string(copies) +
                           " copies of messages, but " + std::to_string(most) +
                           " are still held as it was told");
  }
}

// Of the keys between the node and its active neighbours, those at the ends of its own range and
// of theirs: two roots for a key show there first.
void Watcher::check_coverage(NodeIndex node) {
  const auto& ring = simulator_.active_nodes();
  const NodeId& self = simulator_.id(node);
  auto after = ring.upper_bound(self);
  if (after == ring.end()) after = ring.begin();
  auto before = ring.lower_bound(self);
  before = before == ring.begin() ? std::prev(ring.end()) : std::prev(before);
  if (after->first == self) return;  // alone
  const Node& moved = simulator_.node(node);
  const Id one(0, 1);
  const Id up = midpoint(self, after->first);
  const Id down = midpoint(before->first, self);
  for (const Key& key :
       {after->first, before->first, up, up + one, up - one, down, down + one, down - one}) {
    if (!moved.would_deliver(key, simulator_.now()) || is_rightful_root(simulator_, node, key)) {
      continue;
    }
    fail("one-root", who(node) + " takes itself for the root of " + key.hex() + ", which is " +
                         who(closest_active(simulator_, key)));
    return;
  }
}

// --- Messages and events -------------------------------------------------------------------------

void Watcher::sent(NodeIndex from, Handle to, const Message& message) {
  if (violation_) return;
  if (const auto* routed = std::get_if<Routed>(&message)) check_hop(from, to, routed->header);
  if (const auto* grant = std::get_if<JoinGrant>(&message)) check_grant(from, *grant, to);
  if (const auto* request = std::get_if<JoinRequest>(&message)) check_back_off(from, *request);
  // Who gave its place up may be granted another one.
  if (std::holds_alternative<Leave>(message)) granted_by_.erase(simulator_.handle(from));
  check_caps(from, message);
}

void Watcher::arrived(NodeIndex to, Handle from, const Message& message) {
  const auto* relay = std::get_if<Relay>(&message);
  const Handle source = relay == nullptr || relay->source == kNoHandle ? from : relay->source;
  std::vector<bool>& heard = heard_[simulator_.handle(to)];
  if (index(source) >= heard.size()) heard.resize(index(source) + 1);
  heard[index(source)] = true;
  told_of_copies(to, source, message);
}

void Watcher::told_of_copies(NodeIndex to, Handle from, const Message& message) {
  const auto* relay = std::get_if<Relay>(&message);
  const bool straight = relay == nullptr || !relay->enclosed;
  const auto* ack = std::get_if<HopAck>(straight ? &message : &relay->enclosed->message);
  // A node may refuse what comes over a relay: that may begin a copy, but it need not end one.
  if (ack == nullptr || (!straight && !ack->held)) return;
  copies_ended_ =
      copies_.arrived(simulator_.handle(to), simulator_.node_of(from), *ack) || copies_ended_;
}

void Watcher::resumed(NodeIndex node) { resumed_[simulator_.handle(node)] = simulator_.now(); }

// A few hasty requests are right: a seed that turns out to be active is asked at once.
void Watcher::check_back_off(NodeIndex from, const JoinRequest& request) {
  constexpr unsigned kHastyMax = 16;
  if (request.joiner != simulator_.handle(from)) return;  // passed on
  Asking& asking = asking_[request.joiner];
  const bool hasty = asking.last != Time{} &&
                     simulator_.now() - asking.last < simulator_.config().join_retry_min / 10;
  asking.last = simulator_.now();
  asking.hasty = hasty ? asking.hasty + 1 : 0;
  if (asking.hasty > kHastyMax) {
    fail("back-off", who(from) + " asks to join again and again without a pause");
  }
}

void Watcher::check_hop(NodeIndex from, Handle to, const RouteHeader& header) {
  const NodeId& self = simulator_.id(from);
  const NodeId& next = simulator_.directory().id(to);
  const int bits = simulator_.config().digit_bits;
  if (header.witnessed) return;  // not a hop of its way
  const bool longer = shared_prefix(next, header.key, bits) > shared_prefix(self, header.key, bits);
  if (!longer && !closer(header.key, next, self)) {
    fail("hop-progress",
         who(from) + " sent key " + header.key.hex() + " to " + who(to) + ", which is no nearer");
  }
  if (header.hops > simulator_.config().hops_max + 1) {
    fail("hop-progress", "a message took " + std::to_string(header.hops) + " hops");
  }
}

void Watcher::check_grant(NodeIndex from, const JoinGrant& grant, Handle joiner) {
  // A joiner that asks again may be answered by whoever has it in its leaf set already.
  const auto& batch = grant.batch_joiners;
  const bool in_batch = std::find(batch.begin(), batch.end(), joiner) != batch.end();
  if (!in_batch || grant.batch == 0 || !in_gap(from, grant, joiner)) return;
  const auto [owner, fresh] = granted_by_.try_emplace(joiner, simulator_.handle(from));
  if (fresh || owner->second == simulator_.handle(from)) return;
  const NodeIndex before = simulator_.node_of(owner->second);
  const bool lives = simulator_.active(before) && simulator_.handle(before) == owner->second;
  // A joiner that crashed takes no place: a request of it that waited somewhere may be granted once
  // more, by whoever owns its gap when the batch that it was in is over.
  if (crash_only_ && lives && runs(joiner) && !simulator_.active(simulator_.node_of(joiner))) {
    fail("one-grant",
         who(joiner) + " was granted its place by " + who(owner->second) + " and by " + who(from));
  }
  owner->second = simulator_.handle(from);
}

bool Watcher::runs(Handle node) const {
  const NodeIndex place = simulator_.node_of(node);
  const NodeStatus status = simulator_.status(place);
  return simulator_.handle(place) == node &&
         (status == NodeStatus::up || status == NodeStatus::paused);
}

// Whether the joiner lies in the gap that the grant is about.
bool Watcher::in_gap(NodeIndex owner, const JoinGrant& grant, Handle joiner) const {
  if (grant.successor == kNoHandle) return true;
  const NodeId& self = simulator_.id(owner);
  const Directory& directory = simulator_.directory();
  return directory.id(joiner) - self < directory.id(grant.successor) - self;
}

void Watcher::check_caps(NodeIndex from, const Message& message) {
  const Config& config = simulator_.config();
  const auto leaves = static_cast<std::size_t>(config.leaf_set);
  const auto within = [&](std::size_t size, std::size_t bound, const char* what) {
    if (size <= bound) return;
    fail("caps", who(from) + " sent " + std::to_string(size) + " " + what + ", more than " +
                     std::to_string(bound));
  };
  if (const auto* probe = std::get_if<LeafProbe>(&message)) {
    within(probe->leaf_set.size(), leaves, "leaves");
    within(probe->failed.size(), config.failed_max, "failed peers");
  } else if (const auto* reserve = std::get_if<GapReserve>(&message)) {
    within(reserve->joiners.size(), config.gap_batch, "joiners");
  } else if (const auto* grant = std::get_if<JoinGrant>(&message)) {
    within(grant->batch_joiners.size(), config.gap_batch, "joiners");
    within(grant->leaf_set.size(), leaves, "leaves");
  } else if (const auto* leave = std::get_if<Leave>(&message)) {
    within(leave->leaf_set.size(), leaves, "leaves");
  } else if (const auto* routed = std::get_if<Routed>(&message)) {
    within(routed->header.avoid.size(), 8, "nodes to avoid");
  }
}

void Watcher::happened(NodeIndex node, const NodeEvent& event) {
  const auto* dead = std::get_if<PeerDead>(&event);
  if (dead == nullptr || violation_) return;
  check_own_stall(node, dead->peer);
  if (!crash_only_) return;
  const NodeIndex peer = simulator_.node_of(dead->peer);
  if (simulator_.active(peer) && simulator_.handle(peer) == dead->peer) {
    fail("no-false-death", who(node) + " declared " + who(dead->peer) + " dead, which is active");
  }
}

// Every answer that it waits for is in its queue, or the peer is asked once more.
void Watcher::check_own_stall(NodeIndex node, Handle peer) {
  const auto resumed = resumed_.find(simulator_.handle(node));
  if (resumed == resumed_.end() || !sound_network()) return;
  const NodeIndex other = simulator_.node_of(peer);
  const bool lives = simulator_.active(other) && simulator_.handle(other) == peer &&
                     simulator_.status(other) == NodeStatus::up && !resumed_.contains(peer) &&
                     simulator_.network().reachable(node, other) &&
                     simulator_.network().reachable(other, node);
  const Duration since = simulator_.now() - resumed->second;
  if (lives && since < simulator_.config().probe_timeout) {
    fail("own-stall", who(node) + " was stopped and declared " + who(peer) + " dead");
  }
}

bool Watcher::sound_network() const {
  return !simulator_.network().options().deceives() &&
         simulator_.options().paused_inbox_max >= 10000;
}

void Watcher::gone(Handle node) {
  questions_.erase(questions_.lower_bound({node, 0}),
                   questions_.upper_bound({node, ~OperationId{0}}));
  copies_.forget(node);
}

}  // namespace pastry::sim::fuzz
