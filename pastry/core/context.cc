#include <algorithm>
#include <string>

#include "pastry/core/application.h"
#include "pastry/core/midpoint.h"
#include "pastry/core/node_state.h"

namespace pastry {

Time Context::now() const { return step_->now; }
WallTime Context::wall_time() const { return node_->state_->wall; }
const Config& Context::config() const { return *node_->state_->config; }
const Directory& Context::directory() const { return *node_->state_->directory; }
Handle Context::self() const { return node_->state_->self; }
const NodeId& Context::self_id() const { return node_->state_->self_id(); }
const NodeId& Context::id(Handle node) const { return node_->state_->id(node); }
bool Context::is_earlier_self(Handle node) const {
  return id(node) == self_id() && directory().incarnation(node) < directory().incarnation(self());
}
bool Context::active() const { return node_->state_->active(); }
Random& Context::random() const { return node_->state_->random; }

namespace {

Result<void> check_size(const Config& config, const Payload& payload, Priority priority) {
  const std::size_t limit =
      priority == Priority::bulk ? config.bulk_payload_max : config.payload_max;
  if (payload.size() <= limit) return {};
  return fail(ErrorCode::too_large, "payload of " + std::to_string(payload.size()) +
                                        " bytes exceeds the limit of " + std::to_string(limit));
}

}  // namespace

Result<OperationId> Context::route(const Key& key, Payload payload,
                                   const RouteOptions& options) const {
  NodeState& node = *node_->state_;
  if (auto fits = check_size(*node.config, payload, Priority::application); !fits) {
    return tl::unexpected(fits.error());
  }
  if (options.replicas < 1 || options.replicas > node.config->replicas_max()) {
    return fail(ErrorCode::invalid, "k = " + std::to_string(options.replicas) +
                                        " is outside of 1 … " +
                                        std::to_string(node.config->replicas_max()) + " (l/2 + 1)");
  }
  const OperationId id = node.operations.next_id();
  if (options.wants_outcome) {
    const Duration wait =
        options.deadline > Duration::zero() ? options.deadline : node.config->route_deadline;
    if (!node.operations.add(
            {id, application_, Operations::Kind::route, kNoHandle, step_->now + wait},
            node.config->pending_max)) {
      return fail(ErrorCode::full, "too many operations are pending on this node");
    }
  }
  LocalRoute work;
  work.message.header.key = key;
  work.message.header.application = application_;
  work.message.header.source = node.self;
  work.message.header.sequence = id;
  work.message.header.kind = options.kind;
  work.message.header.replicas = static_cast<std::uint8_t>(options.replicas);
  work.message.header.wants_outcome = options.wants_outcome;
  work.message.payload = std::move(payload);
  work.hint = options.hint;
  step_->work.emplace_back(std::move(work));
  return id;
}

std::vector<Handle> Context::local_lookup(const Key& key, std::size_t count, bool) const {
  const NodeState& node = *node_->state_;
  std::vector<Handle> hops;
  std::vector<Handle> excluded = node.liveness.suspects();
  while (hops.size() < count) {
    const NextHop next = next_hop(*node.directory, node.tables, key, excluded);
    if (next.rule == RoutingRule::stuck) break;
    const Handle hop = next.rule == RoutingRule::deliver ? node.self : next.node;
    if (std::find(hops.begin(), hops.end(), hop) != hops.end()) break;
    hops.push_back(hop);
    if (hop == node.self) break;
    excluded.push_back(hop);
  }
  return hops;
}

std::vector<Handle> Context::neighbor_set(std::size_t count) const {
  const NodeState& node = *node_->state_;
  std::vector<Handle> peers;
  for (const Handle peer :
       node.tables.leaf_set.closest(node.self_id(), node.tables.leaf_set.distinct_size() + 1)) {
    if (peers.size() == count) break;
    if (peer != kNoHandle) peers.push_back(peer);
  }
  return peers;
}

bool Context::is_active(Handle peer) const { return !node_->state_->liveness.inactive(peer); }

std::vector<Handle> Context::gap_ends() const {
  const NodeState& node = *node_->state_;
  std::vector<Handle> ends;
  if (!node.active() || !node.joiner || !node.joiner->admitted()) return ends;
  for (const Handle end : {node.joiner->owner(), node.joiner->successor()}) {
    const bool known = std::find(ends.begin(), ends.end(), end) != ends.end();
    if (end != kNoHandle && end != node.self && !known) ends.push_back(end);
  }
  return ends;
}

std::vector<Handle> Context::replica_set(const Key& key, int k) const {
  const NodeState& node = *node_->state_;
  return pastry::replica_set(*node.directory, node.tables, node.self, key, k);
}

bool Context::is_root(const Key& key) const { return node_->would_deliver(key, step_->now); }

bool Context::knows_replica_set(const Key& key, int k) const {
  return node_->state_->knows_replica_set(key, k);
}

Result<Context::Range> Context::range(Handle member, int rank) const {
  const NodeState& node = *node_->state_;
  std::vector<Handle> ring = node.tables.leaf_set.members();
  const auto ids = [&](Handle handle) { return node.id(handle); };
  if (node.tables.leaf_set.knows_whole_ring()) {
    ring.push_back(node.self);
    std::sort(ring.begin(), ring.end(), [&](Handle a, Handle b) { return ids(a) < ids(b); });
  } else {
    const auto left = node.tables.leaf_set.left().size();
    ring.insert(ring.begin() + static_cast<std::ptrdiff_t>(left), node.self);
  }
  const auto found = std::find(ring.begin(), ring.end(), member);
  if (found == ring.end() || rank < 0) {
    return fail(ErrorCode::unavailable, "the node is not in the leaf set");
  }
  const auto size = static_cast<std::ptrdiff_t>(ring.size());
  const std::ptrdiff_t place = found - ring.begin();
  if (size <= rank + 1) return Range{node.id(member) + Id(0, 1), node.id(member)};
  // The rank-th closest to a key are those between the midpoints with the (rank + 1)-th neighbours.
  const bool whole = node.tables.leaf_set.knows_whole_ring();
  const std::ptrdiff_t below = place - rank - 1;
  const std::ptrdiff_t above = place + rank + 1;
  if (!whole && (below < 0 || above >= size)) {
    return fail(ErrorCode::unavailable, "the leaf set does not reach that far");
  }
  const auto at = [&](std::ptrdiff_t i) {
    return ids(ring[static_cast<std::size_t>((i % size + size) % size)]);
  };
  const Id own = ids(member);
  const Id low = at(below);
  const Id high = at(above);
  return Range{midpoint(low, own) + Id(0, 1), midpoint(own, high)};
}

proximity::Proximity Context::proximity(Handle peer) const {
  const NodeState& node = *node_->state_;
  return distance_to(*node.directory, node.tables, peer);
}

std::optional<Duration> Context::round_trip(Handle peer) const {
  const NodeState& node = *node_->state_;
  const Duration time = known_round_trip(*node.config, *node.directory, node.tables, peer);
  return time < Duration::zero() ? std::nullopt : std::optional(time);
}

std::vector<Neighbour> Context::nearest(std::size_t count) const {
  const NodeState& node = *node_->state_;
  return nearest_peers(*node.directory, node.tables, count);
}

std::vector<Neighbour> Context::within(proximity::Proximity limit) const {
  const NodeState& node = *node_->state_;
  return peers_within(*node.directory, node.tables, limit);
}

bool Context::believed_alive(Handle peer) const {
  NodeState& node = *node_->state_;
  return !node.liveness.suspected(peer) && !node.liveness.dead(node, step_->now, peer);
}

Result<void> Context::send(Handle to, Payload payload, Priority priority) const {
  NodeState& node = *node_->state_;
  if (auto fits = check_size(*node.config, payload, priority); !fits) return fits;
  Direct direct;
  direct.application = application_;
  direct.payload = std::move(payload);
  node.send_direct(*step_, to, std::move(direct), priority);
  return {};
}

Result<void> Context::introduce(Handle to, std::vector<Handle> peers, Payload payload,
                                Priority priority) const {
  NodeState& node = *node_->state_;
  if (auto fits = check_size(*node.config, payload, priority); !fits) return fits;
  if (peers.size() > kIntroducedMax) {
    return fail(ErrorCode::too_large,
                "a message introduces at most " + std::to_string(kIntroducedMax) + " peers");
  }
  Direct direct;
  direct.application = application_;
  direct.peers = std::move(peers);
  direct.payload = std::move(payload);
  node.send_direct(*step_, to, std::move(direct), priority);
  return {};
}

Result<OperationId> Context::request(Handle to, Payload payload, Duration timeout,
                                     Priority priority) const {
  NodeState& node = *node_->state_;
  if (auto fits = check_size(*node.config, payload, priority); !fits) {
    return tl::unexpected(fits.error());
  }
  OperationId id = node.operations.next_id();
  if (static_cast<std::uint32_t>(id) == 0) id = node.operations.next_id();
  const Duration wait = timeout > Duration::zero() ? timeout : node.config->route_deadline;
  if (!node.operations.add({id, application_, Operations::Kind::request, to, step_->now + wait},
                           node.config->pending_max)) {
    return fail(ErrorCode::full, "too many operations are pending on this node");
  }
  Direct direct;
  direct.application = application_;
  direct.request = static_cast<std::uint32_t>(id);
  direct.payload = std::move(payload);
  node.send_direct(*step_, to, std::move(direct), priority);
  return id;
}

Result<void> Context::reply(Handle to, std::uint32_t request, Payload payload,
                            Priority priority) const {
  NodeState& node = *node_->state_;
  if (auto fits = check_size(*node.config, payload, priority); !fits) return fits;
  Direct direct;
  direct.application = application_;
  direct.request = request;
  direct.reply = true;
  direct.payload = std::move(payload);
  node.send_direct(*step_, to, std::move(direct), priority);
  return {};
}

OperationId Context::set_timer(Duration delay, std::uint64_t cookie) const {
  return node_->state_->operations.set_timer(step_->now + std::max(delay, Duration::zero()),
                                             application_, cookie);
}

void Context::cancel_timer(OperationId timer) const {
  node_->state_->operations.cancel_timer(timer);
}

OperationId Context::store(StoreOperation operation) const {
  NodeState& node = *node_->state_;
  const OperationId id = node.operations.next_id();
  step_->out->storage.push_back({node.self_id(), application_, id, std::move(operation)});
  return id;
}

void Context::emit(std::string name, std::string detail) const {
  step_->out->events.push_back(ApplicationEvent{static_cast<std::uint32_t>(application_),
                                                std::move(name), std::move(detail)});
}

}  // namespace pastry
