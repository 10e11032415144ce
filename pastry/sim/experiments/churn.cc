#include "pastry/sim/experiments/churn.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pastry/sim/process_usage.h"
#include "pastry/sim/traffic.h"

namespace pastry::sim {

namespace {

// Seats beside those of the running nodes, where dead nodes wait to come back.
constexpr std::size_t kSpareSeatShare = 10;
constexpr std::size_t kIntervals = 60;
constexpr Duration kQuiet = minutes(1);
constexpr Duration kJoinRetry = seconds(1);
constexpr int kSeeds = 3;
constexpr double kJoinMin = 1e-3;
constexpr double kJoinMax = 1e4;

// Nodes come and go: what only dead incarnations needed is forgotten.
SimulatorOptions collecting(SimulatorOptions options) {
  options.collect_handles = true;
  return options;
}

class ChurnRun {
 public:
  explicit ChurnRun(const ChurnExperiment& experiment)
      : experiment_(experiment),
        wall_before_(wall_seconds()),
        log_(experiment.lookups),
        simulator_(log_.installed(collecting(experiment.simulator))),
        join_times_(kJoinMin, kJoinMax) {
    log_.attach(simulator_);
  }

  Result<ChurnReport> run() {
    const auto grown = grow_experiment(simulator_, running_target(), experiment_.progress);
    if (!grown) return tl::unexpected(grown.error());
    simulator_.run_for(experiment_.rest);
    watch_joins();
    churns_ = true;
    experiment_.trace.empty() ? start_sessions() : start_trace();
    if (experiment_.trace.empty()) look_up(experiment_.warm_up, "warming up", nullptr);
    count();
    if (simulator_.active_nodes().empty()) {
      return fail(ErrorCode::failed, "no node is active any more");
    }
    finish();
    summarise();
    return std::move(report_);
  }

 private:
  std::size_t running_target() const {
    return experiment_.trace.empty() ? experiment_.nodes : experiment_.trace.initial();
  }

  void watch_joins() {
    started_.resize(simulator_.size(), simulator_.now());
    simulator_.hooks.activity = [this](NodeIndex node, bool active) {
      if (!active || started_[index(node)] == kNever) return;
      const std::chrono::duration<double> took = simulator_.now() - started_[index(node)];
      started_[index(node)] = kNever;
      if (counting_) join_times_.add(took.count());
    };
    std::fill(started_.begin(), started_.end(), kNever);
  }

  // --- Sessions of random length ---

  void start_sessions() {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) end_later(NodeIndex{i});
    const std::size_t spare = std::max<std::size_t>(1, experiment_.nodes / kSpareSeatShare);
    for (std::size_t i = 0; i < spare; ++i) empty_.push_back(simulator_.add_node());
    started_.resize(simulator_.size(), kNever);
  }

  double uniform() {                                     // in (0, 1]
    constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
    return static_cast<double>((simulator_.random().next() >> 11) + 1) * kScale;
  }

  Duration exponential(Duration mean) {
    const double length = -std::log(uniform()) * static_cast<double>(mean.count());
    return Duration(static_cast<std::int64_t>(length));
  }

  void end_later(NodeIndex node) {
    simulator_.at(simulator_.now() + exponential(experiment_.session_mean), [this, node] {
      if (!churns_) return;
      end_session(node);
      empty_.push_back(node);
      std::swap(empty_[simulator_.random().below(empty_.size())], empty_.back());
      const NodeIndex comer = empty_.back();
      empty_.pop_back();
      start_session(comer);
    });
  }

  void end_session(NodeIndex node) {
    if (counting_) ++report_.deaths;
    if (experiment_.graceful > 0 && uniform() <= experiment_.graceful) {
      simulator_.leave(node);
    } else {
      simulator_.crash(node);
    }
  }

  void start_session(NodeIndex node) {
    const std::vector<NodeIndex> seeds = some_seeds();
    if (seeds.empty()) {  // nobody to join through
      simulator_.at(simulator_.now() + kJoinRetry, [this, node] { start_session(node); });
      return;
    }
    const bool was_there = simulator_.status(node) == NodeStatus::down;
    const bool returns = was_there && uniform() <= experiment_.returning;
    if (was_there && !returns) simulator_.replace(node);
    come(node, returns, seeds);
    end_later(node);
  }

  // As many as a careful operator names: any one may die before it answers.
  std::vector<NodeIndex> some_seeds() {
    std::vector<NodeIndex> seeds;
    for (int i = 0; i < kSeeds; ++i) {
      const NodeIndex seed = random_active(simulator_);
      if (seed != kNoNode && std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) {
        seeds.push_back(seed);
      }
    }
    return seeds;
  }

  void come(NodeIndex node, bool returns, const std::vector<NodeIndex>& seeds) {
    started_[index(node)] = simulator_.now();
    if (counting_) ++report_.joins;
    if (returns) {
      simulator_.restart(node, seeds);
    } else {
      simulator_.join(node, seeds);
    }
  }

  // --- Sessions of a trace ---

  void start_trace() {
    const Time begin = simulator_.now();
    std::vector<NodeIndex> seats(experiment_.trace.nodes, kNoNode);
    std::uint32_t grown = 0;
    for (const Session& session : experiment_.trace.sessions) {
      NodeIndex& seat = seats[session.node];
      const bool first = seat == kNoNode;
      if (first) {
        seat = session.start == Duration::zero() ? NodeIndex{grown++} : simulator_.add_node();
      }
      if (session.start != Duration::zero()) schedule_start(begin + session.start, seat);
      if (session.end != Duration::max()) schedule_end(begin + session.end, seat);
    }
    started_.resize(simulator_.size(), kNever);
  }

  void schedule_start(Time at, NodeIndex seat) {
    simulator_.at(at, [this, seat] {
      if (!churns_) return;
      const std::vector<NodeIndex> seeds = some_seeds();
      if (seeds.empty()) return schedule_start(simulator_.now() + kJoinRetry, seat);
      come(seat, simulator_.status(seat) == NodeStatus::down, seeds);
    });
  }

  void schedule_end(Time at, NodeIndex seat) {
    simulator_.at(at, [this, seat] {
      if (churns_ && simulator_.running(seat)) end_session(seat);
    });
  }

  // --- Lookups and figures ---

  // Lookups for `length`; each_interval(k) after each of kIntervals equal parts, if given.
  void look_up(Duration length, std::string_view phase,
               const std::function<void(std::size_t)>& each_interval) {
    const Time begin = simulator_.now();
    Time next_lookup = begin;
    for (std::size_t part = 1; part <= kIntervals; ++part) {
      const Time end =
          begin + length * static_cast<std::int64_t>(part) / static_cast<std::int64_t>(kIntervals);
      while (next_lookup < end) {
        simulator_.run_until(next_lookup);
        log_.send_random();
        log_.judge();
        next_lookup += lookup_gap();
      }
      simulator_.run_until(end);
      log_.judge();
      if (each_interval) each_interval(part);
      if (experiment_.progress) experiment_.progress(phase, part, kIntervals);
    }
  }

  Duration lookup_gap() const {
    const double running = static_cast<double>(std::max<std::size_t>(
        1, experiment_.trace.empty() ? experiment_.nodes : simulator_.active_nodes().size()));
    return sim::lookup_gap(experiment_.lookup_rate * running);
  }

  void count() {
    log_.restart_counts();
    counting_ = true;
    const Traffic before(simulator_.counters());
    Traffic last = before;
    double node_seconds = 0;
    const double part_s = std::chrono::duration<double>(experiment_.duration).count() /
                          static_cast<double>(kIntervals);
    look_up(experiment_.duration, "lookups under churn", [&](std::size_t part) {
      const Traffic now(simulator_.counters());
      ChurnInterval interval;
      interval.at_s = part_s * static_cast<double>(part);
      interval.active_nodes = static_cast<double>(simulator_.active_nodes().size());
      const double part_node_s = part_s * running_nodes();
      interval.control_msgs_per_node_s =
          static_cast<double>(now.control - last.control) / part_node_s;
      interval.lookups = log_.counts();
      report_.intervals.push_back(interval);
      report_.active_mean += interval.active_nodes / static_cast<double>(kIntervals);
      node_seconds += part_node_s;
      last = now;
    });
    const Traffic after(simulator_.counters());
    report_.control_msgs_per_node_s =
        static_cast<double>(after.control - before.control) / node_seconds;
    report_.lookup_ack_msgs_per_node_s =
        static_cast<double>(after.lookup_acks - before.lookup_acks) / node_seconds;
    report_.lookup_msgs_per_node_s =
        static_cast<double>(after.lookups - before.lookups) / node_seconds;
    for (const auto& [kind, messages] : after.control_since(before)) {
      report_.control_by_kind.emplace_back(kind, static_cast<double>(messages) / node_seconds);
    }
    counting_ = false;
  }

  double running_nodes() const {
    if (experiment_.trace.empty()) return static_cast<double>(experiment_.nodes);
    return static_cast<double>(std::max<std::size_t>(1, simulator_.active_nodes().size()));
  }

  // Churn ends; what is under way is waited for, and the ring has a minute to be one.
  void finish() {
    churns_ = false;
    const Time limit = simulator_.now() + kQuiet;
    simulator_.run_until(limit);
    log_.judge();
    report_.ring_findings = check_ring(simulator_);
    report_.one_ring_after = report_.ring_findings.ok();
  }

  void summarise() {
    report_.nodes = running_target();
    report_.duration_s = std::chrono::duration<double>(experiment_.duration).count();
    report_.lookups = log_.counts();
    report_.stretch_total = log_.stretch_total();
    report_.stretch_mean = log_.stretch().mean();
    report_.stretch_p50 = log_.stretch().quantile(0.5);
    report_.stretch_p99 = log_.stretch().quantile(0.99);
    report_.hops_mean = log_.hops_mean();
    report_.latency_p50_s = log_.latency().quantile(0.5);
    report_.latency_p99_s = log_.latency().quantile(0.99);
    report_.latency_max_s = log_.latency().max();
    const LookupCounts& counts = report_.lookups;
    const double judged = static_cast<double>(counts.delivered + counts.lost + counts.refused);
    report_.within_10s = judged == 0 ? 0
                                     : log_.latency().share_up_to(10) *
                                           static_cast<double>(log_.latency().count()) / judged;
    report_.join_p50_s = join_times_.quantile(0.5);
    report_.join_p99_s = join_times_.quantile(0.99);
    report_.lookup_findings = log_.findings();
    report_.run = run_figures(simulator_, wall_before_);
    report_.run.features.emplace_back(experiment_.trace.empty() ? "churn" : "churn trace");
  }

  const ChurnExperiment& experiment_;
  double wall_before_;
  LookupLog log_;  // outlives the simulator
  Simulator simulator_;
  Distribution join_times_;
  std::vector<NodeIndex> empty_;  // seats without a running node
  std::vector<Time> started_;     // of those that joined and are not active yet
  bool churns_ = false;
  bool counting_ = false;
  ChurnReport report_;
};

Result<void> validate(const ChurnExperiment& experiment) {
  if (experiment.trace.empty()) {
    if (experiment.nodes < 2) return fail(ErrorCode::invalid, "nodes: must be at least 2");
    if (experiment.session_mean < seconds(1)) {
      return fail(ErrorCode::invalid, "mean session: must be at least 1 s");
    }
  }
  if (!(experiment.lookup_rate > 0)) {
    return fail(ErrorCode::invalid, "lookup rate: must be more than 0");
  }
  const int replicas_max = experiment.simulator.config.replicas_max();
  if (experiment.lookups.replicas < 1 || experiment.lookups.replicas > replicas_max) {
    return fail(ErrorCode::invalid, "replicas: must be between 1 and l/2 + 1");
  }
  if (experiment.duration < seconds(1)) {
    return fail(ErrorCode::invalid, "duration: must be at least 1 s");
  }
  if (Result<void> valid = experiment.simulator.network.validate(); !valid) return valid;
  return experiment.simulator.config.validate();
}

}  // namespace

bool ChurnReport::holds() const {
  return lookups.delivered > 0 && lookups.incorrect() == 0 && lookups.lost == 0 &&
         lookups.refused == 0 && one_ring_after;
}

Result<ChurnReport> run_churn_experiment(const ChurnExperiment& experiment) {
  if (Result<void> valid = validate(experiment); !valid) return tl::unexpected(valid.error());
  return ChurnRun(experiment).run();
}

}  // namespace pastry::sim
