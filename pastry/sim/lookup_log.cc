#include "pastry/sim/lookup_log.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "pastry/sim/ring_builder.h"

namespace pastry::sim {

namespace {

// How long a lookup is remembered, so that a second delivery is noticed.
constexpr Duration kMemory = minutes(2);
// Ranges within which quantiles are told apart.
constexpr double kLatencyMin = 1e-4;
constexpr double kLatencyMax = 1e3;
constexpr double kStretchMin = 1e-2;
constexpr double kStretchMax = 1e4;

std::string seconds_text(Duration duration) {
  return std::to_string(std::chrono::duration<double>(duration).count()) + " s";
}

}  // namespace

Duration lookup_gap(double per_second) {
  const double gap = 1e9 / per_second;
  return Duration(std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(gap, 1e15))));
}

LookupLog::LookupLog(const Options& options)
    : options_(options), latency_(kLatencyMin, kLatencyMax), stretch_(kStretchMin, kStretchMax) {}

SimulatorOptions LookupLog::installed(SimulatorOptions options) {
  options.trace_upcalls = false;
  options.applications = [this, given = options.applications](Simulator& simulator, NodeIndex index,
                                                              Node& node) {
    simulator.add_application(index, kId, *this);
    if (given) given(simulator, index, node);
  };
  return options;
}

// Different for each start of a node.
std::uint64_t LookupLog::life(NodeIndex node) const {
  if (!simulator_->running(node)) return 0;
  const Handle handle = simulator_->handle(node);
  return simulator_->directory().id(handle).low() + simulator_->directory().incarnation(handle);
}

void LookupLog::send(NodeIndex source, const Key& key) {
  const std::uint64_t number = first_ + lookups_.size();
  lookups_.push_back({simulator_->now(), key, life(source), source});
  lookups_.back().kind = options_.kind;
  ++counts_.sent;
  ++open_;
  Bytes payload(sizeof number);
  std::memcpy(payload.data(), &number, sizeof number);
  RouteOptions route;
  route.kind = options_.kind;
  route.replicas = options_.replicas;
  if (simulator_->route(source, kId, key, Payload(std::move(payload)), route)) return;
  ++counts_.refused;
  --open_;
  Lookup& lookup = lookups_[number - first_];
  lookup.judged = true;
}

void LookupLog::send_random() {
  const NodeIndex source = random_active(*simulator_);
  if (source != kNoNode) send(source, simulator_->random().id());
}

void LookupLog::use(LookupKind kind, int replicas) {
  options_.kind = kind;
  options_.replicas = replicas;
}

void LookupLog::judge() {
  const Time now = simulator_->now();
  while (next_judged_ < first_ + lookups_.size()) {
    Lookup& lookup = lookups_[next_judged_ - first_];
    if (now - lookup.sent < options_.patience) break;
    judge(lookup);
    ++next_judged_;
  }
  while (!lookups_.empty() && first_ < next_judged_ && now - lookups_.front().sent >= kMemory) {
    lookups_.pop_front();
    ++first_;
  }
}

void LookupLog::judge(Lookup& lookup) {
  if (lookup.judged || lookup.delivered) return;
  lookup.judged = true;
  --open_;
  if (!lookup.counted) return;
  if (life(lookup.source) != lookup.life) {
    ++counts_.source_died;
    return;
  }
  lookup.lost = true;
  ++counts_.lost;
  findings_.add("lost: " + describe(lookup));
}

void LookupLog::restart_counts() {
  for (Lookup& lookup : lookups_) lookup.counted = false;
  counts_ = {};
  latency_ = Distribution(kLatencyMin, kLatencyMax);
  stretch_ = Distribution(kStretchMin, kStretchMax);
  hops_ = 0;
  routed_ = 0;
  direct_ = 0;
  first_count_ = 0;
  first_hops_ = 0;
  ranks_.clear();
  reached_ = 0;
  nearest_ = 0;
  findings_ = {};
}

LookupLog::Lookup* LookupLog::find(const Payload& payload) {
  std::uint64_t number = 0;
  if (payload.size() != sizeof number) return nullptr;
  std::memcpy(&number, payload.view().data(), sizeof number);
  if (number < first_ || number >= first_ + lookups_.size()) return nullptr;
  return &lookups_[number - first_];
}

ForwardDecision LookupLog::forward(Context context, ForwardedMessage& message) {
  if (options_.first_of == 0) return ForwardDecision::pass;
  Lookup* lookup = find(message.payload);
  if (lookup == nullptr || lookup->reached_first || !lookup->counted) return ForwardDecision::pass;
  const NodeIndex here = simulator_->node_of(context.self());
  if (!simulator_->node(here).active() ||
      !is_one_of_closest(*simulator_, here, lookup->key, options_.first_of)) {
    return ForwardDecision::pass;
  }
  lookup->reached_first = true;
  ++first_count_;
  first_hops_ += message.hops;
  rank(*lookup, here);
  return ForwardDecision::pass;
}

void LookupLog::rank(const Lookup& lookup, NodeIndex reached) {
  const auto delay = [&](NodeIndex node) {
    return simulator_->network().delay(lookup.source, node);
  };
  const Duration taken = delay(reached);
  Duration least = taken;
  std::size_t nearer = 0;
  for (const NodeIndex node : closest_active(*simulator_, lookup.key, options_.first_of)) {
    const Duration other = delay(node);
    if (other < taken) ++nearer;
    least = std::min(least, other);
  }
  if (nearer >= ranks_.size()) ranks_.resize(nearer + 1);
  ++ranks_[nearer];
  reached_ += static_cast<double>(taken.count());
  nearest_ += static_cast<double>(least.count());
}

double LookupLog::hops_to_first_mean() const {
  return first_count_ == 0 ? 0
                           : static_cast<double>(first_hops_) / static_cast<double>(first_count_);
}

void LookupLog::deliver(Context context, const Delivery& message) {
  Lookup* found = find(message.payload);
  if (found == nullptr) return;
  Lookup& lookup = *found;
  const NodeIndex root = simulator_->node_of(context.self());
  if (lookup.delivered) {
    if (!lookup.counted) return;
    const bool root_ended =
        !simulator_->running(lookup.root) || life(lookup.root) != lookup.root_life;
    if (root_ended || (lookup.kind == LookupKind::replica && root != lookup.root)) {
      ++counts_.repeated;
      return;
    }
    ++counts_.twice;
    findings_.add("twice: " + describe(lookup) + ", the second time by " +
                  describe_node(*simulator_, root));
    return;
  }
  lookup.delivered = true;
  lookup.root = root;
  lookup.root_life = life(root);
  if (!lookup.judged) --open_;
  if (!lookup.counted) return;
  if (lookup.lost) ++counts_.late;
  if (!lookup.judged) ++counts_.delivered;
  judge_root(lookup, root);
  measure(lookup, root, message, context.now());
}

void LookupLog::judge_root(const Lookup& lookup, NodeIndex root) {
  const bool right = options_.kind == LookupKind::consistent
                         ? is_rightful_root(*simulator_, root, lookup.key)
                         : is_one_of_closest(*simulator_, root, lookup.key, options_.replicas);
  if (right) return;
  ++counts_.wrong_root;
  findings_.add("wrong root: " + describe(lookup) + ", delivered by " +
                describe_node(*simulator_, root) +
                (simulator_->node(root).active() ? "" : ", which is not active,"));
}

void LookupLog::measure(const Lookup& lookup, NodeIndex root, const Delivery& message, Time now) {
  const std::chrono::duration<double> took = now - lookup.sent;
  latency_.add(took.count());
  hops_ += message.hops;
  if (root == lookup.source) return;
  const std::chrono::duration<double> direct = simulator_->network().delay(lookup.source, root);
  if (direct <= std::chrono::duration<double>::zero()) return;
  routed_ += took.count();
  direct_ += direct.count();
  stretch_.add(took / direct);
}

double LookupLog::hops_mean() const {
  const std::uint64_t measured = latency_.count();
  return measured == 0 ? 0 : static_cast<double>(hops_) / static_cast<double>(measured);
}

std::string LookupLog::describe(const Lookup& lookup) const {
  const NodeIndex closest = closest_active(*simulator_, lookup.key);
  const Duration age = lookup.sent - simulator_->options().start;
  return "key " + lookup.key.hex().substr(0, 8) + " sent at " + seconds_text(age) + " by " +
         describe_node(*simulator_, lookup.source) + ", at " +
         seconds_text(simulator_->now() - simulator_->options().start) +
         " closest: " + (closest == kNoNode ? "nobody" : describe_node(*simulator_, closest));
}

}  // namespace pastry::sim
