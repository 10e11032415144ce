#include "pastry/sim/scenario/sim_driver.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <utility>

#include "pastry/sim/checkers.h"
#include "pastry/sim/ring_builder.h"

namespace pastry::sim {

namespace {

constexpr double kJoinMin = 1e-3;
constexpr double kJoinMax = 1e4;
// A lookup that takes longer than its patience is judged; this is a little more.
constexpr Duration kSettle = seconds(61);
constexpr std::int64_t kRestHeartbeats = 5;
constexpr const char* kNobody = "no node is alive";

std::string count_text(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what;
}

std::string number_text(double value) {
  std::ostringstream text;
  text << std::setprecision(6) << value;
  return text.str();
}

Verdict of(const Findings& findings, const std::string& otherwise) {
  return {findings.ok(), findings.ok() ? otherwise : findings.text()};
}

}  // namespace

SimulatorDriver::SimulatorDriver(SimulatorOptions options)
    : simulator_(with_applications(std::move(options))),
      begin_(simulator_.now()),
      join_times_(kJoinMin, kJoinMax) {
  log_.attach(simulator_);
  flips_.attach(simulator_);
}

SimulatorOptions SimulatorDriver::with_applications(SimulatorOptions options) {
  options.collect_handles = true;
  options.applications = [this, given = options.applications](Simulator& simulator, NodeIndex node,
                                                              Node& started) {
    simulator.add_application(node, LookupLog::kId, log_);
    simulator.add_application(node, FlipCounter::kId, flips_);
    if (given) given(simulator, node, started);
  };
  return options;
}

Result<void> SimulatorDriver::grow(std::size_t nodes) {
  const GrowthResult grown = grow_ring(simulator_, nodes);
  if (!grown.complete) {
    return fail(ErrorCode::failed, "the ring did not form: " + std::to_string(grown.active) +
                                       " of " + std::to_string(nodes) + " nodes became active");
  }
  simulator_.run_for(simulator_.config().heartbeat_period * kRestHeartbeats);
  begin_ = simulator_.now();
  watch_joins();
  flips_.restart_counts();
  return {};
}

void SimulatorDriver::watch_joins() {
  simulator_.hooks.activity = [this](NodeIndex node, bool active) {
    const auto started = joining_.find(node);
    if (!active || started == joining_.end()) return;
    join_times_.add(std::chrono::duration<double>(simulator_.now() - started->second).count());
    joining_.erase(started);
  };
}

// --- Time and lookups ---

Result<void> SimulatorDriver::run_until(Duration time) {
  const Time end = begin_ + time;
  while (lookup_rate_ > 0 && next_lookup_ <= end) {
    simulator_.run_until(next_lookup_);
    log_.send_random();
    log_.judge();
    next_lookup_ += lookup_gap(lookup_rate_);
  }
  simulator_.run_until(end);
  log_.judge();
  return {};
}

// One of those that run and are active, if there is any.
std::optional<NodeIndex> SimulatorDriver::any_active() {
  for (const auto& [id, node] : simulator_.active_nodes()) {
    if (simulator_.status(node) == NodeStatus::up) return node;
  }
  return std::nullopt;
}

void SimulatorDriver::settle() {
  const double rate = std::exchange(lookup_rate_, 0);
  const Time limit = simulator_.now() + kSettle;
  while (!log_.settled() && simulator_.now() < limit) {
    simulator_.run_for(milliseconds(100));
    log_.judge();
  }
  lookup_rate_ = rate;
  next_lookup_ = simulator_.now();
}

// --- Actions ---

Result<void> SimulatorDriver::check_targets(const Action& action) const {
  switch (action.kind) {
    case ActionKind::kill:
    case ActionKind::leave:
    case ActionKind::pause:
    case ActionKind::suspend:
    case ActionKind::clock:
      return check_amount(action, with_status(NodeStatus::up).size());
    case ActionKind::restart:
      return check_amount(action, with_status(NodeStatus::down).size());
    default:
      return {};
  }
}

Result<std::string> SimulatorDriver::act(const Action& action) {
  if (auto enough = check_targets(action); !enough) return tl::unexpected(enough.error());
  switch (action.kind) {
    case ActionKind::kill:
      return kill(action);
    case ActionKind::leave:
      return leave(action);
    case ActionKind::restart:
      return restart(action);
    case ActionKind::join:
      return join(action);
    case ActionKind::pause:
    case ActionKind::suspend:
      return pause(action);
    case ActionKind::resume:
      return resume();
    case ActionKind::clock:
      return shift_clocks(action);
    case ActionKind::partition:
      return partition(action);
    case ActionKind::heal:
      return heal();
    case ActionKind::block:
      return block(action);
    case ActionKind::network:
      return change_network(action);
    case ActionKind::lookups:
      lookup_rate_ = action.value;
      next_lookup_ = simulator_.now();
      return number_text(action.value) + " lookups/s";
    case ActionKind::measure:
      return measure();
    case ActionKind::store:
      return fail(ErrorCode::invalid,
                  "files need a cluster of real processes: pastry cluster --run");
    case ActionKind::wait:
      return std::string();
  }
  return fail(ErrorCode::invalid, "the simulator cannot do this");
}

std::vector<NodeIndex> SimulatorDriver::with_status(NodeStatus status) const {
  std::vector<NodeIndex> nodes;
  for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
    if (simulator_.status(NodeIndex{i}) == status) nodes.push_back(NodeIndex{i});
  }
  return nodes;
}

std::vector<NodeIndex> SimulatorDriver::choose(const Action& action,
                                               std::vector<NodeIndex> candidates) {
  const std::size_t count = action.amount.of(candidates.size());
  if (action.adjacent) {
    std::sort(candidates.begin(), candidates.end(),
              [this](NodeIndex a, NodeIndex b) { return simulator_.id(a) < simulator_.id(b); });
    const std::size_t first = candidates.empty() ? 0 : simulator_.random().below(candidates.size());
    std::rotate(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(first),
                candidates.end());
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      std::swap(candidates[i], candidates[i + simulator_.random().below(candidates.size() - i)]);
    }
  }
  candidates.resize(count);
  return candidates;
}

std::string SimulatorDriver::kill(const Action& action) {
  const std::vector<NodeIndex> chosen = choose(action, with_status(NodeStatus::up));
  for (const NodeIndex node : chosen) {
    simulator_.crash(node);
    joining_.erase(node);
    after_fate(node, action.time, [this, node] { start(node, any_active()); });
  }
  return "killed " + count_text(chosen.size(), "nodes");
}

std::string SimulatorDriver::leave(const Action& action) {
  const std::vector<NodeIndex> chosen = choose(action, with_status(NodeStatus::up));
  for (const NodeIndex node : chosen) {
    simulator_.leave(node);
    joining_.erase(node);
    ++fates_[node];
  }
  return count_text(chosen.size(), "nodes left");
}

void SimulatorDriver::after_fate(NodeIndex node, Duration time, std::function<void()> action) {
  const std::uint64_t fate = ++fates_[node];
  if (time == Duration::zero()) return;
  simulator_.at(simulator_.now() + time, [this, node, fate, action = std::move(action)] {
    if (fates_[node] == fate) action();
  });
}

std::string SimulatorDriver::restart(const Action& action) {
  const std::vector<NodeIndex> chosen = choose(action, with_status(NodeStatus::down));
  for (const NodeIndex node : chosen) start(node, any_active());
  return "restarted " + count_text(chosen.size(), "nodes");
}

// Without a seed a node that is down comes back through the peers that it remembers.
void SimulatorDriver::start(NodeIndex node, std::optional<NodeIndex> seed) {
  joining_[node] = simulator_.now();
  ++fates_[node];
  if (simulator_.status(node) == NodeStatus::down) {
    simulator_.restart(node);
  } else if (seed) {
    simulator_.join(node, *seed);
  } else {
    simulator_.found(node);
  }
}

std::string SimulatorDriver::join(const Action& action) {
  const std::size_t total = action.amount.number;
  const auto& active = simulator_.active_nodes();
  const std::optional<NodeIndex> one = any_active();
  NodeId from;
  NodeId to;
  if (action.into_one_gap && one) {
    const auto next = std::next(active.find(simulator_.id(*one)));
    from = simulator_.id(*one);
    to = next == active.end() ? active.begin()->first : next->first;
  }
  for (std::size_t i = 0; i < total; ++i) {
    const NodeIndex node =
        action.into_one_gap && one ? add_into_gap(from, to, i, total) : simulator_.add_node();
    const Duration when =
        action.time * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(total);
    const std::optional<NodeIndex> given = action.through_one ? one : std::nullopt;
    simulator_.at(simulator_.now() + when, [this, node, given] {
      std::optional<NodeIndex> seed = given;
      if (const NodeIndex any = random_active(simulator_); !seed && any != kNoNode) seed = any;
      start(node, seed);
    });
  }
  return count_text(total, "nodes join");
}

// A new node with the number-th of `total` ids that divide the arc evenly; the whole ring if both
// ends are the same.
NodeIndex SimulatorDriver::add_into_gap(const NodeId& from, const NodeId& to, std::size_t number,
                                        std::size_t total) {
  const Id arc = to - from;
  const std::uint64_t high = arc == Id{} ? ~std::uint64_t{0} : arc.high();
  const std::uint64_t part = high / (total + 1);
  return simulator_.add_node(from + Id(part * (number + 1), simulator_.random().next()));
}

std::string SimulatorDriver::pause(const Action& action) {
  const std::vector<NodeIndex> chosen = choose(action, with_status(NodeStatus::up));
  for (const NodeIndex node : chosen) {
    action.kind == ActionKind::suspend ? simulator_.suspend(node) : simulator_.pause(node);
    after_fate(node, action.time, [this, node] { simulator_.resume(node); });
  }
  return "stopped " + count_text(chosen.size(), "nodes");
}

std::string SimulatorDriver::resume() {
  const std::vector<NodeIndex> paused = with_status(NodeStatus::paused);
  for (const NodeIndex node : paused) simulator_.resume(node);
  return "resumed " + count_text(paused.size(), "nodes");
}

std::string SimulatorDriver::shift_clocks(const Action& action) {
  const std::vector<NodeIndex> chosen = choose(action, with_status(NodeStatus::up));
  for (const NodeIndex node : chosen) simulator_.shift_wall_clock(node, action.shift_s);
  return count_text(chosen.size(), "wall clocks") + " jumped by " + std::to_string(action.shift_s) +
         " s";
}

std::string SimulatorDriver::partition(const Action& action) {
  Network& network = simulator_.network();
  network.heal_partition();
  ++partitions_;  // the end of an earlier one is no end of this one
  std::vector<NodeIndex> nodes;
  for (std::uint32_t i = 0; i < simulator_.size(); ++i) nodes.push_back(NodeIndex{i});
  nodes = choose(Action{.kind = action.kind, .amount = {.share = 1.0}}, std::move(nodes));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    network.set_side(nodes[i], static_cast<std::uint8_t>(i % action.amount.number));
  }
  if (action.one_way) network.open(0, 1);
  if (action.time > Duration::zero()) {
    simulator_.at(simulator_.now() + action.time, [this, number = partitions_] {
      if (partitions_ == number) simulator_.network().heal_partition();
    });
  }
  return action.one_way ? "one half does not reach the other"
                        : count_text(action.amount.number, "sides");
}

std::string SimulatorDriver::heal() {
  simulator_.network().heal_partition();
  simulator_.network().heal_all_links();
  return "healed";
}

// Pairs of neighbours on the ring cannot talk to each other; both reach all others.
std::string SimulatorDriver::block(const Action& action) {
  std::vector<NodeIndex> ring;
  for (const auto& [id, node] : simulator_.active_nodes()) ring.push_back(node);
  const std::size_t pairs = std::min(action.amount.number, ring.size() / 2);
  const std::size_t step = pairs == 0 ? 1 : ring.size() / pairs;
  for (std::size_t i = 0; i < pairs; ++i) {
    simulator_.network().cut_both(ring[i * step], ring[(i * step + 1) % ring.size()]);
  }
  return "blocked " + count_text(pairs, "pairs");
}

Result<std::string> SimulatorDriver::change_network(const Action& action) {
  NetworkOptions options = simulator_.network().options();
  if (const NetworkShare* share = find_network_share(action.name)) {
    options.*share->value = action.value;
  }
  if (action.name == "reordering-delay") options.reordering_delay = action.time;
  if (action.name == "slow-processing") options.slow_processing = action.time;
  if (auto valid = options.validate(); !valid) return tl::unexpected(valid.error());
  simulator_.network().set_options(options);
  return std::string();
}

std::string SimulatorDriver::measure() {
  log_.restart_counts();
  join_times_ = Distribution(kJoinMin, kJoinMax);
  flips_.restart_counts();
  return "figures are taken anew";
}

// --- Expectations ---

Result<Verdict> SimulatorDriver::check(const Expectation& expectation) {
  switch (expectation.kind) {
    case ExpectKind::ring:
      if (with_status(NodeStatus::up).empty()) return Verdict{false, kNobody};
      return of(check_ring(simulator_), "one ring");
    case ExpectKind::healthy:
      if (with_status(NodeStatus::up).empty()) return Verdict{false, kNobody};
      return of(check_quiet_ring(simulator_), "whole leaf sets");
    case ExpectKind::nodes: {
      const std::size_t active = simulator_.active_nodes().size();
      return Verdict{active == static_cast<std::size_t>(expectation.bound),
                     count_text(active, "active")};
    }
    case ExpectKind::lookups:
      return check_lookups(expectation.bound);
    case ExpectKind::wrong_root: {
      settle();
      const LookupCounts& counts = log_.counts();
      Verdict verdict{counts.incorrect() == 0,
                      std::to_string(counts.incorrect()) + " of " + std::to_string(counts.sent)};
      if (!verdict.holds) verdict.detail += "; " + log_.findings().text();
      return verdict;
    }
    case ExpectKind::latency:
      settle();
      return check_quantile(log_.latency(), expectation.quantile, expectation.bound);
    case ExpectKind::joins:
      if (!joining_.empty()) {
        return Verdict{false, count_text(joining_.size(), "have not become active yet")};
      }
      return check_quantile(join_times_, expectation.quantile, expectation.bound);
    case ExpectKind::flips:
      return Verdict{flips_.most() <= static_cast<std::uint64_t>(expectation.bound),
                     std::to_string(flips_.most()) + " of the worst pair, " +
                         std::to_string(flips_.total()) + " in all"};
    case ExpectKind::files:
      return fail(ErrorCode::invalid,
                  "files need a cluster of real processes: pastry cluster --run");
  }
  return fail(ErrorCode::invalid, "the simulator cannot check this");
}

Verdict SimulatorDriver::check_lookups(double least) {
  settle();
  const LookupCounts& counts = log_.counts();
  const std::uint64_t judged = counts.delivered + counts.lost + counts.refused;
  const double share =
      judged == 0 ? 0 : static_cast<double>(counts.delivered) / static_cast<double>(judged);
  Verdict verdict{judged > 0 && share >= least,
                  number_text(100 * share) + " % of " + std::to_string(judged) + " delivered"};
  if (!verdict.holds && judged > 0) verdict.detail += "; " + log_.findings().text();
  return verdict;
}

Verdict SimulatorDriver::check_quantile(const Distribution& times, double quantile,
                                        double most) const {
  if (times.count() == 0) return {false, "nothing was measured"};
  const double value = times.quantile(quantile);
  return {value <= most, number_text(value) + " s of " + std::to_string(times.count())};
}

}  // namespace pastry::sim
