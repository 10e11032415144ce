#include "pastry/sim/simulator.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "pastry/sim/simulator_trace.h"
#include "pastry/sim/traced_application.h"
#include "pastry/wire/address.h"
#include "pastry/wire/subnet_metric.h"

namespace pastry::sim {

namespace {

// Independent streams of one seed.
std::uint64_t derive(std::uint64_t seed, std::uint64_t stream, std::uint64_t part = 0) {
  return Random(Random(seed ^ (stream * 0x9e3779b97f4a7c15ULL)).next() + part).next();
}

constexpr std::uint64_t kNetworkStream = 1;
constexpr std::uint64_t kExperimentStream = 2;
constexpr std::uint64_t kNodeStream = 3;

// So many events do not make the heap grow by much.
constexpr std::uint64_t kEventsPerLookAtHeap = 1024;

// So many descriptions beside two per node are worth a collection.
constexpr std::size_t kCollectAbove = 256;

// Of every simulated address: there is one process at each.
constexpr std::uint16_t kSimulatedPort = 4000;

std::shared_ptr<const proximity::Topology> or_default(
    std::shared_ptr<const proximity::Topology> topology) {
  if (topology) return topology;
  return proximity::make_uniform(milliseconds(10));
}

// What the metric asks of a description, from the place of the node. Nothing without one: it would
// travel in every message.
void locate(const SimulatorOptions& options, std::uint64_t place, HostInfo& host) {
  if (options.metric == MetricKind::geographic && !options.locations.empty()) {
    host.location = options.locations[place % options.locations.size()];
  } else if (options.metric == MetricKind::geographic && options.topology) {
    const auto coordinates = options.topology->coordinates(place);
    if (coordinates) host.location = proximity::Location(*coordinates);
  } else if (options.metric == MetricKind::subnet && options.topology) {
    const auto address = options.topology->address(place);
    if (address) {
      host.addresses.push_back(
          wire::format_address({wire::Address::Kind::ipv4, 0, *address, kSimulatedPort, {}}));
    }
  }
}

}  // namespace

std::string_view name(DropCause cause) {
  constexpr std::array<std::string_view, kDropCauses> names = {
      "lost", "cut", "down", "overflow", "unencodable", "undecodable"};
  return names[static_cast<std::size_t>(cause)];
}

Simulator::Simulator(SimulatorOptions options)
    : options_(std::move(options)),
      metric_(make_metric()),
      network_(or_default(options_.topology), derive(options_.seed, kNetworkStream),
               options_.network),
      random_(derive(options_.seed, kExperimentStream)),
      now_(options_.start) {
  if (metric_) options_.config.metric = metric_.get();
  if (options_.encode) {
    wire::CodecOptions codec;
    codec.overlay_tag = wire::overlay_tag("simulation");
    codec.digit_bits = options_.config.digit_bits;
    codec.cache_grows = true;
    codec_ = std::make_unique<wire::Codec>(directory_, verifier_, codec);
  }
  if (options_.check_told) told_ = std::make_unique<ToldHandles>();
}

Simulator::~Simulator() {
  hooks = {};
  for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_[i].node.reset();  // before applications
}

// --- Nodes and their life ------------------------------------------------------------------------

NodeIndex Simulator::add_node() { return add_node(random_.id()); }

NodeIndex Simulator::add_node(const NodeId& id, std::string domain) {
  const NodeIndex node{static_cast<std::uint32_t>(nodes_.size())};
  assign_handle(nodes_.append(), node,
                {id, 1, make_host(node, index(node), std::move(domain)), {}});
  return node;
}

// A process of its own: its transport key follows from the seed and `stream`.
HostInfo Simulator::make_host(NodeIndex node, std::uint64_t stream, std::string domain) const {
  HostInfo host;
  Random key(derive(options_.seed, kNodeStream, ~stream));
  for (std::size_t i = 0; i < host.transport_key.bytes.size(); i += 8) {
    const std::uint64_t word = key.next();
    for (std::size_t j = 0; j < 8; ++j) {
      host.transport_key.bytes[i + j] = static_cast<std::uint8_t>(word >> (8 * j));
    }
  }
  host.domain = std::move(domain);
  locate(options_, index(node), host);
  return host;
}

std::unique_ptr<const Metric> Simulator::make_metric() const {
  switch (options_.metric) {
    case MetricKind::round_trip:
      break;
    case MetricKind::subnet:
      return std::make_unique<wire::SubnetMetric>();
    case MetricKind::geographic:
      return std::make_unique<GeographicMetric>();
    case MetricKind::hops:
      return std::make_unique<HopMetric>(or_default(options_.topology),
                                         [this](Handle node) { return index(node_of(node)); });
  }
  return nullptr;
}

void Simulator::assign_handle(Record& record, NodeIndex node, const PeerInfo& info) {
  if (options_.collect_handles && directory_.size() > kCollectAbove + 2 * nodes_.size()) {
    collect_handles();
  }
  record.handle = directory_.intern(info);
  assert(record.handle != kNoHandle);
  const std::uint32_t slot = pastry::index(record.handle);
  if (slot >= node_of_handle_.size()) node_of_handle_.resize(slot + 1, index(kNoNode));
  node_of_handle_[slot] = index(node);
}

NodeIndex Simulator::node_of(Handle handle) const {
  const std::uint32_t slot = pastry::index(handle);
  return slot < node_of_handle_.size() ? NodeIndex{node_of_handle_[slot]} : kNoNode;
}

void Simulator::start(NodeIndex node) {
  Record& target = record(node);
  assert(!target.node);
  const std::uint64_t incarnation = directory_.incarnation(target.handle);
  const std::uint64_t seed = derive(options_.seed, kNodeStream, (incarnation << 32) ^ index(node));
  target.node.emplace(options_.config, directory_, target.handle, seed);
  target.status = NodeStatus::up;
  trace(kTraceStart, node, incarnation);
  if (told_) told_->tell(node, target.handle);
  if (!options_.applications) return;
  options_.applications(*this, node, *target.node);
}

void Simulator::found(NodeIndex node) {
  start(node);
  begin_step(node).found(now_, outbox_);
  end_step(node);
}

void Simulator::join(NodeIndex node, NodeIndex seed) { join(node, std::span(&seed, 1)); }

void Simulator::join(NodeIndex node, std::span<const NodeIndex> seeds) {
  start(node);
  std::vector<Handle> handles;
  for (const NodeIndex seed : seeds) {
    handles.push_back(handle(seed));
    if (told_) told_->tell(node, handles.back());
  }
  begin_step(node).join(now_, handles, false, outbox_);
  end_step(node);
}

void Simulator::stop(NodeIndex node) {
  Record& target = record(node);
  if (const std::unique_ptr<Sleep> sleep = std::move(target.sleep)) {  // it was paused
    for (const std::uint32_t slot : sleep->inbox) {
      drop(flights_[slot].from, flights_[slot].to, DropCause::down);
      release_flight(slot);
    }
    for (const std::uint32_t slot : sleep->storage) {
      storage_[slot] = {};
      storage_.give_back(slot);
    }
  }
  target.node.reset();
  target.applications.reset();
  target.armed = kNever;
  target.status = NodeStatus::down;
  if (told_) told_->forget(node);
  note_activity(node, false);
}

void Simulator::tell_unreachable(NodeIndex node, NodeIndex peer) {
  if (status(node) != NodeStatus::up) return;
  begin_step(node).peer_unreachable(now_, handle(peer), outbox_);
  end_step(node);
}

// --- Time ----------------------------------------------------------------------------------------

bool Simulator::step() {
  if (queue_.empty()) return false;
  const Event event = queue_.pop();
  prefetch();
  now_ = std::max(now_, event.at);
  carry_out(event);
  return true;
}

void Simulator::use_huge_pages() {
  if (!huge_heap_) huge_heap_.emplace();
}

void Simulator::carry_out(const Event& event) {
  ++counters_.events;
  if (huge_heap_ && counters_.events % kEventsPerLookAtHeap == 0) huge_heap_->follow();
  switch (event.kind) {
    case EventKind::arrival:
      arrive(event.subject);
      break;
    case EventKind::deadline:
      fire_deadline(event);
      break;
    case EventKind::storage:
      complete_storage(event.subject);
      break;
    case EventKind::action: {
      const std::function<void()> action = std::exchange(actions_[event.subject], nullptr);
      actions_.give_back(event.subject);
      action();
      break;
    }
  }
}

void Simulator::run_until(Time time) {
  while (!queue_.empty() && queue_.top().at <= time) step();
  now_ = std::max(now_, time);
}

bool Simulator::run_until(const std::function<bool()>& condition, Time limit) {
  while (!condition()) {
    if (queue_.empty() || queue_.top().at > limit) {
      now_ = std::max(now_, limit);
      return condition();
    }
    step();
  }
  return true;
}

void Simulator::at(Time time, std::function<void()> action) {
  const std::uint32_t slot = actions_.take();
  actions_[slot] = std::move(action);
  queue_.push(std::max(time, now_), EventKind::action, slot);
}

void Simulator::fire_deadline(const Event& event) {
  const NodeIndex node{event.subject};
  Record& target = record(node);
  if (target.armed != event.at) return;  // moved, or of an earlier life
  target.armed = kNever;
  if (target.status != NodeStatus::up) return;  // resume() arms again
  if (target.node->next_deadline() > now_) {
    arm(node);
    return;
  }
  begin_step(node).advance(now_, outbox_);
  end_step(node);
}

void Simulator::arm(NodeIndex node) {
  Record& target = record(node);
  Time deadline = target.node->next_deadline();
  if (deadline == kNever) return;
  // A deadline that has passed comes a little later, so that time goes on whatever a node asks.
  if (deadline <= now_) deadline = now_ + std::chrono::microseconds(1);
  if (deadline >= target.armed) return;
  target.armed = deadline;
  queue_.push(deadline, EventKind::deadline, index(node));
}

// --- Steps ---------------------------------------------------------------------------------------

Node& Simulator::begin_step(NodeIndex node) {
  Record& target = record(node);
  assert(target.status == NodeStatus::up);
  assert(!stepping_ && "upcalls and hooks must not call back into the simulator");
  stepping_ = true;
  const auto elapsed = std::chrono::duration_cast<seconds>(now_ - options_.start);
  std::int64_t wall = options_.wall_start.unix_seconds + elapsed.count();
  if (!wall_shifts_.empty()) {
    const auto shift = wall_shifts_.find(node);
    if (shift != wall_shifts_.end()) wall += shift->second;
  }
  target.node->set_wall_time(WallTime{wall});
  return *target.node;
}

void Simulator::end_step(NodeIndex node) {
  Record& target = record(node);
  target.node->flush(now_, outbox_);
  note_activity(node, target.node->active());
  for (const NodeEvent& event : outbox_.events) {
    trace(kTraceEvent, node, event.index());
    if (hooks.event) hooks.event(node, event);
  }
  for (Send& send : outbox_.sends) transmit(node, send);
  for (StorageRequest& request : outbox_.storage) request_storage(node, std::move(request));
  outbox_.clear();
  stepping_ = false;
  arm(node);
  if (hooks.step) hooks.step(node);
}

void Simulator::note_activity(NodeIndex node, bool active) {
  Record& target = record(node);
  if (target.active == active) return;
  target.active = active;
  if (active) {
    target.was_member = true;
    restarted_with_.erase(node);
    active_.emplace(directory_.id(target.handle), node);
  } else {
    active_.erase(directory_.id(target.handle));
  }
  trace(kTraceActivity, node, active ? 1 : 0);
  if (hooks.activity) hooks.activity(node, active);
}

void Simulator::trace(std::uint64_t what, NodeIndex node, std::uint64_t detail) {
  trace_.add((what << 32) | index(node));
  trace_.add(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  trace_.add(detail);
}

// --- Applications --------------------------------------------------------------------------------

bool Simulator::add_application(NodeIndex node, ApplicationId id,
                                std::unique_ptr<Application> application) {
  Application& given = *application;
  return install(node, id, given, std::move(application));
}

bool Simulator::add_application(NodeIndex node, ApplicationId id, Application& shared) {
  return install(node, id, shared, nullptr);
}

bool Simulator::install(NodeIndex node, ApplicationId id, Application& given,
                        std::unique_ptr<Application> owned) {
  Record& target = record(node);
  Application* seen_by_node = &given;
  if (options_.trace_upcalls) {
    owned = std::make_unique<TracedApplication>(*this, node, id, given, std::move(owned));
    seen_by_node = owned.get();
  }
  if (!target.node->add_application(id, *seen_by_node)) return false;
  if (!target.applications) target.applications = std::make_unique<InstalledApplications>();
  target.applications->reserve(target.applications->size() + 1);
  target.applications->push_back({id, &given, std::move(owned)});
  return true;
}

Application* Simulator::application(NodeIndex node, ApplicationId id) const {
  if (!record(node).applications) return nullptr;
  for (const InstalledApplication& installed : *record(node).applications) {
    if (installed.id == id) return installed.given;
  }
  return nullptr;
}

Result<OperationId> Simulator::route(NodeIndex node, ApplicationId application, const Key& key,
                                     Payload payload, const RouteOptions& options) {
  Result<OperationId> result = fail(ErrorCode::unavailable, "the node does not run");
  if (status(node) != NodeStatus::up) return result;
  run(node, application,
      [&](Context context) { result = context.route(key, std::move(payload), options); });
  return result;
}

}  // namespace pastry::sim
