#include "pastry/core/node.h"

#include <algorithm>

#include "pastry/core/node_state.h"
#include "pastry/core/planted_bugs.h"
#include "pastry/core/prefetch.h"

namespace pastry {

namespace {

// Bound on what one step does at this node; the rest follows in the next step at once.
constexpr std::size_t kLocalWorkPerStep = 4096;

void deliver_direct(NodeState& node, Step& step, Handle from, Direct&& direct) {
  if (direct.reply) {
    const Operations::Pending* waiting = node.operations.find(direct.request);
    if (waiting == nullptr || waiting->kind != Operations::Kind::request ||
        waiting->application != direct.application || waiting->peer != from) {
      return;  // late, or not from the peer that was asked
    }
    Operations::Pending pending;
    node.operations.take(direct.request, pending);
    if (Application* application = node.application(pending.application)) {
      const Result<Payload> answer =
          direct.refused ? Result<Payload>(fail(ErrorCode::refused, "the peer refused the request"))
                         : Result<Payload>(std::move(direct.payload));
      application->replied(node.context(step, pending.application), pending.id, answer);
    }
    return;
  }
  if (Application* application = node.application(direct.application)) {
    application->receive(
        node.context(step, direct.application),
        {from, direct.request, std::move(direct.peers), std::move(direct.payload)});
    return;
  }
  ++node.counters.refused;
  if (direct.request == 0) return;
  Direct refusal;
  refusal.application = direct.application;
  refusal.request = direct.request;
  refusal.reply = true;
  refusal.refused = true;
  node.send_direct(step, from, std::move(refusal), Priority::control);
}

void end_route(NodeState& node, Step& step, std::uint64_t sequence, const RouteOutcome& outcome) {
  const auto id_low = static_cast<std::uint32_t>(sequence);
  const Operations::Pending* waiting = node.operations.find(id_low);
  if (waiting == nullptr || waiting->id != sequence || waiting->kind != Operations::Kind::route) {
    return;
  }
  Operations::Pending pending;
  node.operations.take(id_low, pending);
  if (Application* application = node.application(pending.application)) {
    application->route_outcome(node.context(step, pending.application), pending.id, outcome);
  }
}

// The peers that work left over for the next step names.
struct MarkWork {
  Directory& directory;

  void mark(Handle peer) const {
    if (peer != kNoHandle) directory.mark(peer);
  }
  void operator()(const LocalRoute& work) const {
    mark(work.message.header.source);
    for (const Handle peer : work.message.header.avoid) mark(peer);
    mark(work.previous);
    mark(work.hint);
  }
  void operator()(const LocalDirect& work) const {
    for (const Handle peer : work.message.peers) mark(peer);
  }
  void operator()(const LocalOutcome& work) const { mark(work.root); }
};

void do_work(NodeState& node, Step& step, LocalWork&& work) {
  if (auto* route = std::get_if<LocalRoute>(&work)) {
    node.forwarder.start(node, step, std::move(*route));
  } else if (auto* direct = std::get_if<LocalDirect>(&work)) {
    deliver_direct(node, step, node.self, std::move(direct->message));
  } else if (auto* outcome = std::get_if<LocalOutcome>(&work)) {
    end_route(node, step, outcome->sequence, {outcome->result, outcome->root, outcome->hops});
  }
}

// Which part of the node a message is for.
struct Receiver {
  NodeState& node;
  Step& step;
  Handle from;

  void operator()(Routed&& m) { node.forwarder.receive(node, step, from, std::move(m)); }
  void operator()(HopAck&& m) { node.forwarder.acknowledged(node, step, from, m); }
  void operator()(Outcome&& m) { end_route(node, step, m.sequence, {m.result, from, m.hops}); }
  void operator()(JoinRequest&& m) { node.gap_state().receive(node, step, from, std::move(m)); }
  void operator()(JoinTransfer&& m) {
    node.gap_state().receive(node, step, from, std::move(m.request));
  }
  void operator()(GapReserve&& m) { node.gap_state().receive(node, step, from, std::move(m)); }
  void operator()(GapReserveReply&& m) {
    if (node.gap) node.gap->receive(node, step, from, m);
  }
  void operator()(JoinReport&& m) { node.liveness.set_active(node, step, from, m.active); }
  void operator()(GapRelease&& m) {
    if (node.gap) node.gap->receive(node, step, from, m);
  }
  void operator()(JoinGrant&& m) {
    if (node.joiner) {
      node.joiner->receive(node, step, from, std::move(m));
    } else if (node.active()) {
      node.send(step, from, JoinReport{m.batch, true});  // the first report was lost
    }
  }
  void operator()(JoinRefused&& m) {
    if (node.joiner) node.joiner->receive(node, step, from, m);
  }
  void operator()(LeafProbe&& m) { node.liveness.receive(node, step, from, m); }
  void operator()(Lease&& m) { node.leases.receive(node, step, from, m); }
  void operator()(Ping&& m) { node.liveness.receive(node, step, from, m); }
  void operator()(Pong&& m) { node.liveness.receive(node, step, from, m); }
  void operator()(Leave&& m) { node.liveness.receive(node, step, from, m); }
  void operator()(RowRequest&& m) { node.upkeep.receive(node, step, from, m); }
  void operator()(RowReply&& m) { node.upkeep.receive(node, step, from, m); }
  void operator()(NeighbourhoodRequest&& m) { node.upkeep.receive(node, step, from, m); }
  void operator()(NeighbourhoodReply&& m) { node.upkeep.receive(node, step, from, m); }
  void operator()(Announce&& m) { node.upkeep.receive(node, step, from, m); }
  void operator()(Direct&& m) { deliver_direct(node, step, from, std::move(m)); }
  void operator()(Seek&& m) { node.upkeep.receive(node, step, from, m); }
  void operator()(Relay&& m) {
    if (!node.liveness.receive(node, step, from, m)) return;
    node.liveness.heard(node, step, m.source);
    std::visit(
        [&](auto&& value) {
          Receiver{node, step, m.source}(std::move(value));
        },
        Message(m.enclosed->message));
  }
};

}  // namespace

Node::Node(const Config& config, Directory& directory, Handle self, std::uint64_t seed)
    : state_(std::make_unique<NodeState>(*this, config, directory, self, seed)) {}

Node::Node(const Node& other) : state_(std::make_unique<NodeState>(*other.state_)) {
  state_->node = this;
}

Node::~Node() = default;

bool Node::add_application(ApplicationId id, Application& application) {
  if (state_->application(id) != nullptr) return false;
  auto& applications = state_->applications;
  applications.reserve(applications.size() + 1);  // exactly: a node's memory counts
  applications.emplace_back(id, &application);
  return true;
}

void Node::begin(Time now, Outbox& out, Step& step) {
  step.now = now;
  step.out = &out;
  if (state_->backlog) {
    step.work = std::move(*state_->backlog);
    state_->backlog.reset();
  }
  // Whatever this input is about: a node that was stopped for a while acts on nothing stale.
  state_->check_leases(step);
}

void Node::finish(Step& step) {
  std::size_t done = 0;
  for (; done < step.work.size() && done < kLocalWorkPerStep; ++done) {
    LocalWork work = std::move(step.work[done]);  // upcalls append to the queue
    do_work(*state_, step, std::move(work));
  }
  if (done < step.work.size()) {
    state_->backlog = std::make_unique<std::vector<LocalWork>>(
        std::make_move_iterator(step.work.begin() + static_cast<std::ptrdiff_t>(done)),
        std::make_move_iterator(step.work.end()));
  }
  if (state_->gap) state_->gap->forget_answered(*state_);
  if (state_->gap && state_->gap->idle()) state_->gap.reset();
  state_->operations.release_if_idle();
}

void Node::found(Time now, Outbox& out) {
  Step step;
  begin(now, out, step);
  if (state_->phase == NodePhase::created || state_->phase == NodePhase::joining) {
    state_->activate(step);
  }
  finish(step);
}

void Node::join(Time now, std::span<const Handle> seeds, bool remembered, Outbox& out) {
  Step step;
  begin(now, out, step);
  NodeState& node = *state_;
  if (node.phase == NodePhase::created) {
    node.phase = NodePhase::joining;
    node.joiner = std::make_unique<Joiner>(node, now, remembered);
    node.joiner->add_seeds(node, seeds);
    node.joiner->attempt(node, step);
  } else if (node.joiner) {
    node.joiner->add_seeds(node, seeds);
  } else if (node.active() && node.alone) {
    for (const Handle seed : seeds) node.upkeep.seek_ring(node, step, seed);
  }
  finish(step);
}

void Node::leave(Time now, Outbox& out) {
  NodeState& node = *state_;
  if (node.phase == NodePhase::left) return;
  Step step;
  begin(now, out, step);
  const bool was_active = node.active();
  if (node.placed()) {
    std::vector<Handle> told = node.tables.leaf_set.members();
    Leave farewell{told};
    if (PASTRY_BUG(farewell_unbounded)) {
      for (const Handle peer : node.tables.neighbourhood.members())
        farewell.leaf_set.push_back(peer);
    }
    const auto add = [&](Handle peer) {
      if (std::find(told.begin(), told.end(), peer) == told.end()) told.push_back(peer);
    };
    node.tables.routing_table.for_each([&](Handle peer, Proximity) { add(peer); });
    for (const Handle peer : node.tables.neighbourhood.members()) add(peer);
    for (const Handle peer : told) node.send(step, peer, Leave(farewell));
  }
  if (was_active) {
    for (const auto& [id, application] : node.applications) {
      application->activity(node.context(step, id), false);
    }
  }
  node.phase = NodePhase::left;
  node.joiner.reset();
  node.gap.reset();
  step.work.clear();
  node.emit(step, NodeDeactivated{"left"});
  finish(step);
}

void Node::receive(Time now, Handle from, Message&& message, Outbox& out) {
  NodeState& node = *state_;
  if (node.phase == NodePhase::left || node.phase == NodePhase::created) return;
  if (from == node.self || node.id(from) == node.self_id()) return;
  Step step;
  begin(now, out, step);
  node.liveness.heard(node, step, from);
  std::visit(
      [&](auto&& value) {
        Receiver{node, step, from}(std::move(value));
      },
      std::move(message));
  finish(step);
}

void Node::peer_unreachable(Time now, Handle peer, Outbox& out) {
  NodeState& node = *state_;
  if (node.phase == NodePhase::left || node.phase == NodePhase::created || peer == node.self)
    return;
  Step step;
  begin(now, out, step);
  const Tables& tables = node.tables;
  if (tables.leaf_set.contains(peer) || tables.routing_table.contains(peer) ||
      tables.neighbourhood.contains(peer)) {
    node.liveness.suspect(node, step, peer);
  }
  finish(step);
}

void Node::storage_completed(Time now, StorageCompletion completion, Outbox& out) {
  NodeState& node = *state_;
  if (node.phase == NodePhase::left) return;
  Step step;
  begin(now, out, step);
  if (Application* application = node.application(completion.application)) {
    application->stored(node.context(step, completion.application), completion.tag,
                        completion.result);
  }
  finish(step);
}

void Node::advance(Time now, Outbox& out) {
  NodeState& node = *state_;
  if (node.phase == NodePhase::left || node.phase == NodePhase::created) return;
  const Time expected = next_deadline();
  Step step;
  begin(now, out, step);
  // So late, and the answers that came meanwhile may still wait in a queue.
  if (expected > Time::min() && now - expected > node.config->probe_timeout)
    node.leases.stalled(node, step);
  if (node.joiner && node.joiner->deadline() <= now) node.joiner->advance(node, step);
  if (node.liveness.deadline() <= now) node.liveness.advance(node, step);
  if (node.leases.deadline(node) <= now) node.leases.advance(node, step);
  if (node.forwarder.deadline() <= now) node.forwarder.advance(node, step);
  if (node.gap && node.gap->deadline() <= now) node.gap->advance(node, step);
  if (node.upkeep.deadline() <= now) node.upkeep.advance(node, step);
  if (node.operations.deadline() <= now) node.operations.advance(node, step);
  finish(step);
  node.forwarder.flush(node, step);  // of messages that were kept until now
}

Time Node::next_deadline() const {
  const NodeState& node = *state_;
  if (node.phase == NodePhase::left || node.phase == NodePhase::created) return kNever;
  if (node.backlog) return Time::min();
  Time at = std::min(node.liveness.deadline(), node.forwarder.deadline());
  at = std::min(
      {at, node.upkeep.deadline(), node.operations.deadline(), node.leases.deadline(node)});
  if (node.joiner) at = std::min(at, node.joiner->deadline());
  if (node.gap) at = std::min(at, node.gap->deadline());
  return at;
}

void Node::flush(Time now, Outbox& out) {
  const NodeState& node = *state_;
  const bool runs_out = node.active() && !node.leases.held(node, now);
  if (!node.forwarder.owes() && !node.backlog && !runs_out) return;
  Step step;
  begin(now, out, step);
  state_->forwarder.flush(*state_, step);
  finish(step);
}

void Node::set_wall_time(WallTime wall) { state_->wall = wall; }

Handle Node::self() const { return state_->self; }
const NodeId& Node::id() const { return state_->self_id(); }
bool Node::active() const { return state_->active(); }
bool Node::holds_leases(Time now) const {
  return state_->active() && state_->leases.held(*state_, now);
}
bool Node::would_deliver(const Key& key, Time now) const {
  return state_->may_deliver(key, now) && state_->forwarder.delivers(*state_, key);
}
bool Node::alone() const { return state_->alone; }
const Tables& Node::tables() const { return state_->tables; }
const Directory& Node::directory() const { return *state_->directory; }
const Config& Node::config() const { return *state_->config; }
const NodeCounters& Node::counters() const { return state_->counters; }

bool Node::delivers(const Key& key) const { return state_->forwarder.delivers(*state_, key); }

NodeLoad Node::load() const {
  const NodeState& node = *state_;
  NodeLoad load;
  node.forwarder.count(load);
  load.operations = node.operations.size();
  load.timers = node.operations.timers();
  load.probes = node.liveness.probing_count();
  load.suspects = node.liveness.suspects().size();
  load.remembered_dead = node.liveness.remembered().size();
  if (node.gap) node.gap->count(load);
  load.joining = node.joiner != nullptr;
  return load;
}

bool Node::suspects(Handle peer) const { return state_->liveness.suspected(peer); }

std::vector<Handle> Node::peers_to_remember(std::size_t count) const {
  std::vector<Handle> peers = state_->tables.leaf_set.members();
  const auto add = [&](Handle peer) {
    if (std::find(peers.begin(), peers.end(), peer) == peers.end()) peers.push_back(peer);
  };
  for (const Handle peer : state_->tables.neighbourhood.members()) add(peer);
  // A sole survivor remembers those it hopes to see again.
  for (const Doubts::Death& death : state_->liveness.remembered()) add(death.peer);
  if (peers.size() > count) peers.resize(count);
  return peers;
}

void Node::prefetch() const { prefetch_lines(state_.get(), sizeof(NodeState)); }

void Node::prefetch_tables() const {
  const NodeState& node = *state_;
  const LeafSet& leaves = node.tables.leaf_set;
  prefetch_line(leaves.left().data());  // the other side lies behind it
  prefetch_line(leaves.right().data() + leaves.right().size());
  node.tables.routing_table.prefetch();
  node.tables.neighbourhood.prefetch();
  node.liveness.prefetch();
  node.forwarder.prefetch();
  node.upkeep.prefetch();
  if (node.joiner) prefetch_lines(node.joiner.get(), sizeof(Joiner));
  if (node.gap) prefetch_lines(node.gap.get(), sizeof(Gap));
}

void Node::prefetch_details() const {
  state_->liveness.prefetch_details();
  state_->upkeep.prefetch_details();
}

void Node::mark_handles() const {
  NodeState& node = *state_;
  Directory& directory = *node.directory;
  directory.mark(node.self);
  for (const Handle peer : node.tables.leaf_set.members()) directory.mark(peer);
  node.tables.routing_table.for_each([&](Handle peer, Proximity) { directory.mark(peer); });
  for (const Handle peer : node.tables.neighbourhood.members()) directory.mark(peer);
  node.forwarder.mark_handles(directory);
  node.liveness.mark_handles(directory);
  node.upkeep.mark_handles(directory);
  node.leases.mark_handles(directory);
  node.operations.mark_handles(directory);
  if (node.gap) node.gap->mark_handles(directory);
  if (node.joiner) node.joiner->mark_handles(directory);
  for (const auto& [id, application] : node.applications) application->mark_handles(directory);
  if (!node.backlog) return;
  for (const LocalWork& work : *node.backlog) std::visit(MarkWork{directory}, work);
}

}  // namespace pastry
