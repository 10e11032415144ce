#include "pastry/sim/fuzz/run.h"

#include <algorithm>
#include <memory>

#include "pastry/sim/checkers.h"
#include "pastry/sim/fuzz/narration.h"
#include "pastry/sim/fuzz/strangers.h"
#include "pastry/sim/fuzz/talker.h"

namespace pastry::sim::fuzz {
namespace {

// Periods of the heartbeat within which a healed network must have one right ring, and full tables
// with nothing pending.
constexpr std::int64_t kRingBeats = 120;
constexpr std::int64_t kRestBeats = 400;
// How long doubts from before the healing last, and rings that no node of another remembers are
// left alone.
constexpr std::int64_t kDoubtBeats = 16;
constexpr std::int64_t kStrangerBeats = 20;
// How long traffic goes on at most, whatever the number of events.
constexpr std::int64_t kSteadyBeats = 2000;
constexpr std::size_t kFew = 3;
// Of what could be in the routing tables [faults.md].
constexpr double kTableFill = 0.99;
// Events after which a run is taken for a storm.
constexpr std::uint64_t kEventsMax = 3'000'000;

class World {
 public:
  World(const Plan& plan, const RunOptions& options)
      : plan_(plan),
        options_(options),
        guests_(options.guests ? options.guests(plan) : nullptr),
        simulator_(with_applications(plan)),
        watcher_(simulator_, plan.crash_only()),
        talk_(simulator_, watcher_),
        start_(simulator_.now()) {
    for (const NodeId& id : plan.ids) simulator_.add_node(id);
    seeds_.resize(plan.ids.size(), kNoHandle);
    if (guests_) guests_->begin(simulator_, watcher_, plan.crash_only());
    if (options.narrate) narrate(simulator_, options.narrate);
  }

  RunResult run() {
    for (const Action& action : plan_.actions) {
      if (!advance_to(start_ + action.at)) break;
      say(describe(action));
      carry_out(action);
    }
    if (!failed()) settle();
    return result();
  }

 private:
  SimulatorOptions with_applications(const Plan& plan) {
    SimulatorOptions options = plan.options;
    options.config.marks = &marks_;
    options.applications = [this](Simulator& simulator, NodeIndex index, Node&) {
      simulator.add_application(index, kTalker, talk_.application(index));
      if (guests_) guests_->install(index);
    };
    if (guests_) guests_->configure(options);
    return options;
  }

  // Two rings may exist from now on.
  void excuse() {
    if (!plan_.crash_only()) return;
    excused_ = true;
    watcher_.excuse();
    if (guests_) guests_->excuse();
  }

  bool failed() const { return watcher_.violation().has_value(); }

  void say(const std::string& line) {
    if (options_.narrate) options_.narrate(simulator_.now() - start_, "-- " + line);
  }

  // False if a rule was broken on the way.
  bool advance_to(Time time) {
    simulator_.run_until([this] { return failed() || storm(); }, time);
    return !failed();
  }

  bool storm() {
    if (simulator_.counters().events < kEventsMax) return false;
    watcher_.fail("storm", "more than " + std::to_string(kEventsMax) + " events");
    return true;
  }

  // --- Actions ---

  void carry_out(const Action& action) {
    const NodeIndex node{action.node};
    const NodeIndex other{action.other};
    const NodeStatus status = simulator_.status(node);
    switch (action.kind) {
      case ActionKind::join:
        if (status == NodeStatus::added) join(node, other);
        break;
      case ActionKind::crash:
        end(node, &Simulator::crash);
        break;
      case ActionKind::restart:
        if (status == NodeStatus::down) restart(node, other);
        break;
      case ActionKind::leave:
        end(node, &Simulator::leave);
        break;
      case ActionKind::pause:
        simulator_.pause(node);
        break;
      case ActionKind::resume:
        resume(node);
        break;
      case ActionKind::split:
        simulator_.network().set_side(node, static_cast<std::uint8_t>(action.count));
        break;
      case ActionKind::unite:
        simulator_.network().heal_partition();
        break;
      case ActionKind::cut:
        simulator_.network().cut(node, other);
        break;
      case ActionKind::mend:
        simulator_.network().heal_all_links();
        break;
      case ActionKind::unreachable:
        if (node != other) simulator_.tell_unreachable(node, other);
        break;
      case ActionKind::lookups:
        talk_.look_up(node, action.count, action.salt);
        break;
      case ActionKind::requests:
        talk_.ask_neighbours(node, action.count, action.salt);
        break;
      case ActionKind::work:
        if (guests_ && status == NodeStatus::up) guests_->work(node, action.count, action.salt);
        break;
    }
  }

  // The first node from `wanted` on that runs, or kNoNode.
  NodeIndex running_from(NodeIndex wanted, NodeIndex except) const {
    const auto nodes = static_cast<std::uint32_t>(simulator_.size());
    NodeIndex found = kNoNode;
    for (std::uint32_t i = 0; i < nodes; ++i) {
      const NodeIndex node{(index(wanted) + i) % nodes};
      if (node == except || simulator_.status(node) != NodeStatus::up) continue;
      if (simulator_.active(node)) return node;
      if (found == kNoNode) found = node;
    }
    return found;
  }

  void join(NodeIndex node, NodeIndex wanted) {
    const NodeIndex seed = running_from(wanted, node);
    seeds_[index(node)] = seed == kNoNode ? kNoHandle : simulator_.handle(seed);
    // Whoever is down may remember a ring: founding another would be an operator's mistake.
    if (seed != kNoNode) {
      simulator_.join(node, seed);
    } else if (!anybody_started()) {
      simulator_.found(node);
    }
  }

  void end(NodeIndex node, void (Simulator::*how)(NodeIndex)) {
    if (simulator_.status(node) == NodeStatus::paused && how == &Simulator::leave) return;
    const Handle handle = simulator_.handle(node);
    (simulator_.*how)(node);
    watcher_.gone(handle);
    if (guests_) guests_->gone(node);
    excuse_if_cut();
    // As in restart(): they may have come back while somebody was active, but not in before all
    // were gone.
    if (simulator_.active_nodes().empty() && anybody_came_back()) excuse();
  }

  void resume(NodeIndex node) {
    if (simulator_.status(node) != NodeStatus::paused) return;
    watcher_.resumed(node);
    simulator_.resume(node);
  }

  bool anybody_started() const {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      if (simulator_.status(NodeIndex{i}) != NodeStatus::added) return true;
    }
    return false;
  }

  bool anybody_came_back() const {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      const NodeIndex node{i};
      const bool runs = simulator_.status(node) == NodeStatus::up;
      if (runs && simulator_.directory().incarnation(simulator_.handle(node)) > 1) return true;
    }
    return false;
  }

  void restart(NodeIndex node, NodeIndex wanted) {
    const NodeIndex seed = running_from(wanted, node);
    // Who never was a member needs somebody to join through.
    if (seed == kNoNode && !simulator_.was_member(node)) return;
    seeds_[index(node)] = seed == kNoNode ? kNoHandle : simulator_.handle(seed);
    // Those that all went down and come back may found several rings, which then merge.
    if (simulator_.active_nodes().empty()) excuse();
    if (seed == kNoNode) {
      simulator_.restart(node);
    } else {
      simulator_.restart(node, std::span(&seed, 1));
    }
    excuse_if_cut();
  }

  // Who knows nobody that lives cannot tell that from being alone, and two parts of which neither
  // knows of the other are two rings.
  void excuse_if_cut() {
    if (!plan_.crash_only() || excused_) return;
    const std::vector<NodeIndex> ring = members(simulator_);
    if (ring.size() < 2) return;
    const bool lonely = std::any_of(ring.begin(), ring.end(), [this](NodeIndex node) {
      return knows_nobody(simulator_, node, seeds_);
    });
    if (lonely || strangers(simulator_, ring, seeds_).size() > 1) excuse();
  }

  // --- Healing and rest ---

  void settle() {
    say("heal");
    Network& network = simulator_.network();
    network.heal_all_links();
    network.heal_partition();
    network.set_options({});
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      resume(NodeIndex{i});
    }
    revive_if_few();
    const Time healed = simulator_.now();
    strangers_join_at_ = healed + plan_.beat() * kStrangerBeats;
    if (!wait_until([this] { return ring_right(); }, healed + plan_.beat() * kRingBeats)) {
      return complain("one-ring", check_ring(simulator_), "leaf sets", check_leaf_sets(simulator_));
    }
    healing_ = simulator_.now() - healed;
    say("one right ring");
    // Probes that were begun before, and lost messages, may still find somebody dead.
    if (!advance_to(simulator_.now() + plan_.beat() * kDoubtBeats)) return;
    if (!wait_until([this] { return ring_right(); },
                    simulator_.now() + plan_.beat() * kRingBeats)) {
      return complain("one-ring", check_ring(simulator_), "leaf sets", check_leaf_sets(simulator_));
    }
    watcher_.demand_all();
    talk_.demand_all();
    steady_traffic();
    if (guests_ && !failed()) guests_->examine();
    if (failed()) return;
    if (!wait_until([this] { return comes_to_rest(); },
                    simulator_.now() + plan_.beat() * kRestBeats)) {
      return complain_unrest();
    }
    const Findings findings = check_quiet_ring(simulator_);
    if (!findings.ok()) watcher_.fail("quiet-ring", findings.text());
  }

  // Asked a few times per heartbeat: it looks at all nodes.
  bool wait_until(const std::function<bool()>& condition, Time limit) {
    while (!condition()) {
      if (simulator_.now() >= limit || failed()) return false;
      revive_orphans();
      if (simulator_.now() >= strangers_join_at_) {
        strangers_join_at_ = simulator_.now() + plan_.beat() * kStrangerBeats;
        join_strangers();
      }
      if (!advance_to(std::min(limit, simulator_.now() + plan_.beat() / 4))) return false;
    }
    return true;
  }

  // Who knows only nodes that are gone for ever cannot come in by itself: the operator helps.
  void revive_orphans() {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      const NodeIndex node{i};
      const Handle seed = seeds_[i];
      if (simulator_.status(node) != NodeStatus::up || simulator_.active(node)) continue;
      if (seed == kNoHandle ? simulator_.was_member(node) : answers(seed)) continue;
      const NodeIndex helper = running_from(NodeIndex{0}, node);
      if (helper == kNoNode || !simulator_.active(helper)) continue;
      say("restart n" + std::to_string(i) + ", whose seed is gone");
      end(node, &Simulator::crash);
      restart(node, helper);
    }
  }

  // Rings of which no node remembers any of another cannot find each other: the operator restarts
  // one node of each through a node of the first.
  void join_strangers() {
    std::vector<NodeIndex> active;
    for (const auto& [id, node] : simulator_.active_nodes()) active.push_back(node);
    const std::vector<NodeIndex> rings = strangers(simulator_, active, seeds_);
    for (std::size_t i = 1; i < rings.size(); ++i) {
      say("restart n" + std::to_string(index(rings[i])) + ", whom no other ring remembers");
      end(rings[i], &Simulator::crash);
      restart(rings[i], rings.front());
    }
  }

  bool answers(Handle peer) const { return fuzz::answers(simulator_, peer); }

  bool ring_right() const {
    if (simulator_.active_nodes().empty()) return nobody_up();
    return check_ring(simulator_).ok() && check_leaf_sets(simulator_).ok();
  }

  bool nobody_up() const {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      if (simulator_.status(NodeIndex{i}) == NodeStatus::up) return false;
    }
    return true;
  }

  // The guests still have things to do before all is silent.
  bool comes_to_rest() {
    if (guests_) guests_->proceed();
    return at_rest();
  }

  bool at_rest() const {
    const bool guests_rest = !guests_ || guests_->unrest().empty();
    if (!guests_rest || simulator_.in_flight() != simulator_.leases_in_flight() ||
        watcher_.unanswered() != 0) {
      return false;
    }
    for (const auto& [id, node] : simulator_.active_nodes()) {
      if (!simulator_.node(node).load().at_rest()) return false;
    }
    return ring_right() && routing_table_fill(simulator_) >= kTableFill;
  }

  void steady_traffic() {
    Random random(plan_.seed ^ 0x737465616479ULL);
    const Time limit = simulator_.now() + plan_.beat() * kSteadyBeats;
    while (simulator_.counters().events < options_.events_min && simulator_.now() < limit &&
           !failed()) {
      const auto& ring = simulator_.active_nodes();
      if (ring.empty()) return;
      auto from = ring.lower_bound(random.id());
      if (from == ring.end()) from = ring.begin();
      // A node alone answers itself, without an event.
      if (ring.size() > 1) talk_.look_up(from->second, 20, random.next());
      advance_to(simulator_.now() + plan_.beat() / 4);
    }
  }

  // A ring of so few is soon examined: who is down comes back, and who found nobody to join through
  // comes at last.
  void revive_if_few() {
    if (simulator_.active_nodes().size() >= kFew) return;
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      const NodeIndex node{i};
      if (simulator_.status(node) == NodeStatus::down) restart(node, node);
    }
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      const NodeIndex node{i};
      if (simulator_.status(node) == NodeStatus::added) join(node, node);
    }
  }

  // --- Findings ---

  void complain(const char* rule, Findings first, const char* then, Findings second) {
    if (failed()) return;
    watcher_.fail(rule, first.text() + "\n" + then + ": " + second.text());
  }

  void complain_unrest() {
    if (failed()) return;
    std::string what = std::to_string(simulator_.in_flight()) + " messages on their way, " +
                       std::to_string(watcher_.unanswered()) + " questions open, tables " +
                       std::to_string(100 * routing_table_fill(simulator_)) + " % filled";
    for (const auto& [id, node] : simulator_.active_nodes()) {
      const NodeLoad load = simulator_.node(node).load();
      if (load.at_rest()) continue;
      what += "\n  " + watcher_.who(node) + ": unacknowledged " +
              std::to_string(load.unacknowledged) + ", kept " + std::to_string(load.kept) +
              ", copies " + std::to_string(load.copies) + ", operations " +
              std::to_string(load.operations) + ", probes " + std::to_string(load.probes) +
              ", suspects " + std::to_string(load.suspects) + ", joiners " +
              std::to_string(load.joiners) + ", reserved " + std::to_string(load.reserved);
    }
    if (!ring_right()) what += "\n" + check_ring(simulator_).text();
    if (guests_) what += "\n  " + guests_->unrest();
    watcher_.fail("at-rest", std::move(what));
  }

  RunResult result() const {
    RunResult result;
    result.violation = watcher_.violation();
    if (result.violation) result.failed_at = result.violation->at - start_;
    result.crash_only = plan_.crash_only();
    result.excused = excused_;
    result.nodes = plan_.ids.size();
    result.fault_kinds = plan_.fault_kinds();
    result.events = simulator_.counters().events;
    result.messages = simulator_.counters().messages;
    result.lookups = talk_.lookups();
    result.deliveries = watcher_.deliveries();
    result.incorrect = watcher_.incorrect();
    result.repeated = watcher_.repeated();
    result.undelivered = talk_.lookups() - talk_.delivered();
    result.healing = healing_;
    result.marks = marks_;
    result.trace_hash = simulator_.trace_hash();
    if (guests_) result.guests = guests_->figures();
    return result;
  }

  const Plan& plan_;
  const RunOptions& options_;
  Marks marks_;
  std::unique_ptr<Guests> guests_;
  Simulator simulator_;
  Watcher watcher_;
  Talk talk_;
  Time start_;
  Duration healing_{};
  bool excused_ = false;
  Time strangers_join_at_ = kNever;
  std::vector<Handle> seeds_;  // through which each node came last
};

}  // namespace

RunResult run(const Plan& plan, const RunOptions& options) { return World(plan, options).run(); }

}  // namespace pastry::sim::fuzz
