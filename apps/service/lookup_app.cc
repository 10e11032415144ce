#include "apps/service/lookup_app.h"

#include <algorithm>
#include <utility>

namespace pastry::service {
namespace {

// How long one attempt may take: longer than a lease and the detection of a death in the LAN
// profile, so that an attempt through a dying root can still succeed.
constexpr Duration kAttempt = seconds(6);
constexpr Duration kTraceRepeat = seconds(2);
constexpr Duration kCensusTick = milliseconds(250);
// A question that got lost, or waits at a node that just lost its leases, is asked again after this
// and each time twice as long, until its time is over.
constexpr Duration kQuestionRepeat = milliseconds(250);
constexpr Duration kQuestionTimeout = seconds(3);
constexpr std::size_t kCensusWindow = 128;
constexpr std::size_t kOperationsMax = 4096;

std::string endpoint_of(Context context, Handle node) {
  if (!context.directory().valid(node)) return {};
  const auto& addresses = context.directory().host(node).addresses;
  return addresses.empty() ? std::string() : addresses.front();
}

}  // namespace

LookupApplication::Running& LookupApplication::running() {
  if (!running_) running_ = std::make_unique<Running>();
  return *running_;
}

// --- Lookup ---

void LookupApplication::lookup(Context context, const Key& key, Duration deadline,
                               Callback<LookupResult> done) {
  const Tidy tidy{*this};
  if (running().lookups.size() >= kOperationsMax)
    return done(context, fail(ErrorCode::full, "too many lookups"));
  start_lookup(context, {key, context.now() + deadline, std::move(done)});
}

void LookupApplication::start_lookup(Context context, Lookup lookup) {
  const Duration left = lookup.deadline - context.now();
  if (left <= Duration::zero()) {
    return lookup.done(context,
                       fail(ErrorCode::timed_out, "no root answered for " + lookup.key.hex()));
  }
  RouteOptions options;
  options.wants_outcome = true;
  options.deadline = std::min(left, kAttempt);
  const auto operation = context.route(lookup.key, encode({0, LookupProbe{}}), options);
  if (!operation) return lookup.done(context, tl::unexpected<Error>(operation.error()));
  running().lookups.emplace(*operation, std::move(lookup));
}

void LookupApplication::route_outcome(Context context, OperationId operation,
                                      const RouteOutcome& outcome) {
  const Tidy tidy{*this};
  if (!running_) return;
  auto found = running_->lookups.extract(operation);
  if (found.empty()) return;
  Lookup lookup = std::move(found.mapped());
  if (outcome.result != RouteResult::delivered || outcome.root == kNoHandle) {
    if (outcome.result == RouteResult::timed_out) return start_lookup(context, std::move(lookup));
    return lookup.done(context, fail(ErrorCode::unavailable, "the lookup was given up on its way"));
  }
  const LookupResult result{lookup.key, context.id(outcome.root),
                            endpoint_of(context, outcome.root), outcome.hops};
  lookup.done(context, result);
}

// --- Trace ---

void LookupApplication::trace(Context context, const Key& key, Duration deadline,
                              Callback<std::vector<TraceHop>> done) {
  const Tidy tidy{*this};
  if (running().traces.size() >= kOperationsMax)
    return done(context, fail(ErrorCode::full, "too many traces"));
  const std::uint64_t call = ++last_call_;
  const auto& trace = running().traces[call] = {key, context.now() + deadline, std::move(done)};
  send_trace(context, call, trace);
}

void LookupApplication::send_trace(Context context, std::uint64_t call, const Trace& trace) {
  // A refusal (the node is not active, its queue is full) ends like a loss: the timer tries again.
  (void)context.route(trace.key, encode({call, TraceProbe{}}));
  context.set_timer(std::min(kTraceRepeat, trace.deadline - context.now()), call);
}

ForwardDecision LookupApplication::forward(Context context, ForwardedMessage& message) {
  auto decoded = decode(message.payload);
  if (!decoded) return ForwardDecision::pass;
  auto* probe = std::get_if<TraceProbe>(&decoded->content);
  if (probe == nullptr || probe->path.size() >= kTraceHopsMax) return ForwardDecision::pass;
  TraceHop hop{context.self_id(), endpoint_of(context, context.self()), std::nullopt};
  if (message.previous == kNoHandle || message.previous == context.self()) {
    hop.delay = Duration::zero();
  } else if (const auto round_trip = context.round_trip(message.previous)) {
    hop.delay = *round_trip / 2;
  }
  // At the source the message may pass here twice: before the first hop and, as the root, before
  // delivery.
  if (probe->path.empty() || probe->path.back().id != hop.id) probe->path.push_back(std::move(hop));
  message.payload = encode(*decoded);
  return ForwardDecision::pass;
}

void LookupApplication::deliver(Context context, const Delivery& message) {
  auto decoded = decode(message.payload);
  if (!decoded) return;
  if (auto* probe = std::get_if<TraceProbe>(&decoded->content)) {
    (void)context.send(message.source,
                       encode({decoded->call, TraceAnswer{std::move(probe->path)}}));
  } else if (std::holds_alternative<CensusProbe>(decoded->content)) {
    (void)context.send(message.source, encode({decoded->call, report(context, message.key)}));
  }
}

void LookupApplication::receive(Context context, const Incoming& message) {
  const Tidy tidy{*this};
  if (!running_) return;
  auto decoded = decode(message.payload);
  if (!decoded) return;
  if (auto* answer = std::get_if<TraceAnswer>(&decoded->content)) {
    auto found = running().traces.extract(decoded->call);
    if (!found.empty()) found.mapped().done(context, std::move(answer->path));
  } else if (auto* report = std::get_if<NodeReport>(&decoded->content)) {
    const auto run = running().censuses.find(decoded->call);
    if (run == running().censuses.end()) return;
    run->second.pending.erase(report->asked);
    hear(run->second, *report);
    ask_more(context, run->first, run->second);
  }
}

void LookupApplication::timer(Context context, std::uint64_t cookie) {
  const Tidy tidy{*this};
  if (!running_) return;
  if (const auto run = running().censuses.find(cookie); run != running().censuses.end()) {
    return repeat_questions(context, cookie, run->second);
  }
  const auto found = running().traces.find(cookie);
  if (found == running().traces.end()) return;
  if (context.now() < found->second.deadline) return send_trace(context, cookie, found->second);
  const Trace trace = std::move(found->second);
  running().traces.erase(found);
  trace.done(context, fail(ErrorCode::timed_out, "no root answered for " + trace.key.hex()));
}

// --- Census ---

NodeReport LookupApplication::report(Context context, const Key& asked) const {
  NodeReport report;
  report.asked = asked;
  report.id = context.self_id();
  report.endpoint = endpoint_of(context, context.self());
  report.active = context.active();
  const Tables& tables = node_->tables();
  const Handle left = tables.leaf_set.left_neighbour();
  const Handle right = tables.leaf_set.right_neighbour();
  if (left != kNoHandle && right != kNoHandle) {
    report.neighbours = NodeReport::Neighbours{context.id(left), context.id(right)};
  }
  for (const Handle node : tables.leaf_set.members()) report.known.push_back(context.id(node));
  tables.routing_table.for_each(
      [&](Handle node, proximity::Proximity) { report.known.push_back(context.id(node)); });
  if (report.known.size() > kKnownMax) report.known.resize(kKnownMax);
  const NodeCounters& counters = node_->counters();
  report.statistics.forwarded = counters.forwarded;
  report.statistics.delivered = counters.delivered;
  report.statistics.retransmitted = counters.retransmitted;
  report.statistics.dropped = counters.dropped;
  add_statistics(report.statistics, context.now());
  return report;
}

void LookupApplication::census(Context context, Duration deadline, Callback<Census> done) {
  const Tidy tidy{*this};
  if (running().censuses.size() >= kOperationsMax)
    return done(context, fail(ErrorCode::full, "too many censuses"));
  const std::uint64_t call = ++last_call_;
  CensusRun& run = running().censuses[call];
  run.deadline = context.now() + deadline;
  run.done = std::move(done);
  run.heard.insert(context.self_id());
  hear(run, report(context, context.self_id()));
  context.set_timer(kCensusTick, call);
  ask_more(context, call, run);
}

void LookupApplication::hear(CensusRun& run, const NodeReport& report) {
  run.heard.insert(report.id);
  run.pending.erase(report.id);
  for (const NodeId& id : report.known) {
    if (run.heard.size() >= kCensusMax) {
      run.result.truncated = true;
      break;
    }
    if (run.heard.insert(id).second) run.waiting.push_back(id);
  }
  run.result.nodes[report.id] = report;
}

void LookupApplication::ask_more(Context context, std::uint64_t call, CensusRun& run) {
  while (!run.waiting.empty() && run.pending.size() < kCensusWindow) {
    const NodeId id = run.waiting.back();
    run.waiting.pop_back();
    if (!run.result.nodes.contains(id)) ask(context, call, run, id);
  }
  if (run.pending.empty()) finish_census(context, call);
}

void LookupApplication::ask(Context context, std::uint64_t call, CensusRun& run, const NodeId& id) {
  Question& question = run.pending[id];
  if (question.attempts++ == 0) question.asked = context.now();
  question.repeat_at = context.now() + kQuestionRepeat * (1 << (question.attempts - 1));
  (void)context.route(id, encode({call, CensusProbe{}}));
}

void LookupApplication::repeat_questions(Context context, std::uint64_t call, CensusRun& run) {
  const Time now = context.now();
  std::vector<NodeId> again;
  for (auto entry = run.pending.begin(); entry != run.pending.end();) {
    const Question& question = entry->second;
    if (now >= run.deadline || now - question.asked >= kQuestionTimeout) {
      run.result.unreachable.push_back(entry->first);
      entry = run.pending.erase(entry);
      continue;
    }
    if (question.repeat_at <= now) again.push_back(entry->first);
    ++entry;
  }
  for (const NodeId& id : again) ask(context, call, run, id);
  if (now >= run.deadline) return finish_census(context, call);
  context.set_timer(kCensusTick, call);
  ask_more(context, call, run);
}

void LookupApplication::finish_census(Context context, std::uint64_t call) {
  auto found = running().censuses.extract(call);
  if (found.empty()) return;
  CensusRun& run = found.mapped();
  std::erase_if(run.result.unreachable,
                [&](const NodeId& id) { return run.result.nodes.contains(id); });
  run.done(context, std::move(run.result));
}

}  // namespace pastry::service
