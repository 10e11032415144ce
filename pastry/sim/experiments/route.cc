#include "pastry/sim/experiments/route.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pastry/sim/experiments/run_figures.h"
#include "pastry/sim/process_usage.h"

namespace pastry::sim {

namespace {

constexpr ApplicationId kExperimentApplication = application_id("sim.route");
// How long a lookup may take before it counts as lost.
constexpr Duration kLookupPatience = minutes(2);
constexpr std::size_t kProgressSteps = 100;

struct Lookup {
  Time sent;
  NodeIndex source = kNoNode;
  NodeIndex root = kNoNode;
  std::uint16_t hops = 0;
  Duration delay{};
};

// One object serves all nodes: it only writes down what arrives.
class Recorder final : public Application {
 public:
  explicit Recorder(Simulator& simulator) : simulator_(simulator) {}

  void deliver(Context context, const Delivery& message) override {
    std::uint32_t number = 0;
    if (message.payload.size() < sizeof number) return;
    std::memcpy(&number, message.payload.view().data(), sizeof number);
    if (number >= lookups.size() || lookups[number].root != kNoNode) return;
    Lookup& lookup = lookups[number];
    lookup.root = simulator_.node_of(context.self());
    lookup.hops = message.hops;
    lookup.delay = context.now() - lookup.sent;
    ++delivered;
  }

  std::vector<Lookup> lookups;
  std::size_t delivered = 0;

 private:
  Simulator& simulator_;
};

class RouteRun {
 public:
  explicit RouteRun(const RouteExperiment& experiment)
      : experiment_(experiment),
        heap_before_(heap_in_use()),
        wall_before_(wall_seconds()),
        recorder_(simulator_),
        simulator_(with_recorder()) {}

  Result<RouteReport> run() {
    if (Result<void> grown = grow(); !grown) return tl::unexpected(grown.error());
    simulator_.run_for(experiment_.rest);
    measure_ring();
    look_up();
    summarise();
    return std::move(report_);
  }

 private:
  SimulatorOptions with_recorder() {
    SimulatorOptions options = experiment_.simulator;
    options.applications = [this, given = options.applications](Simulator& simulator,
                                                                NodeIndex index, Node& node) {
      simulator.add_application(index, kExperimentApplication, recorder_);
      if (given) given(simulator, index, node);
    };
    return options;
  }

  Result<void> grow() {
    RingGrowth growth;
    growth.in_flight = experiment_.in_flight;
    const auto grown = grow_experiment(simulator_, experiment_.nodes, experiment_.progress, growth);
    if (!grown) return tl::unexpected(grown.error());
    if (grown->joins == 0) return {};
    const auto per_join = [&](std::uint64_t messages) {
      return static_cast<double>(messages) / static_cast<double>(grown->joins);
    };
    report_.join_messages_mean = per_join(grown->messages);
    for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
      if (grown->by_kind[kind] == 0) continue;
      report_.join_messages_by_kind.emplace_back(message_kind(kind),
                                                 per_join(grown->by_kind[kind]));
    }
    return {};
  }

  void measure_ring() {
    report_.findings = check_quiet_ring(simulator_);
    std::uint64_t entries = 0;
    for (const auto& [id, node] : simulator_.active_nodes()) {
      entries += simulator_.node(node).tables().routing_table.size();
    }
    report_.routing_table_entries_mean =
        static_cast<double>(entries) / static_cast<double>(simulator_.active_nodes().size());
    report_.routing_table_fill = routing_table_fill(simulator_);
    simulator_.shrink();
    const std::uint64_t heap = heap_in_use();
    if (heap > heap_before_) report_.bytes_per_node = (heap - heap_before_) / experiment_.nodes;
  }

  void look_up() {
    DeliveryOracle oracle(simulator_);
    recorder_.lookups.resize(experiment_.lookups);
    const double per_second = experiment_.lookup_rate * static_cast<double>(experiment_.nodes);
    const Duration gap{static_cast<std::int64_t>(1e9 / per_second)};
    const std::size_t progress_step =
        std::max<std::size_t>(1, experiment_.lookups / kProgressSteps);
    for (std::size_t i = 0; i < experiment_.lookups; ++i) {
      send(i);
      simulator_.run_for(gap);
      if (experiment_.progress && i % progress_step == 0) {
        experiment_.progress("lookups", i, experiment_.lookups);
      }
    }
    simulator_.run_until([this] { return recorder_.delivered == recorder_.lookups.size(); },
                         simulator_.now() + kLookupPatience);
    report_.wrong_root = oracle.wrong_root();
    report_.duplicates = oracle.duplicates();
    report_.findings.add(check_told(simulator_));
    simulator_.hooks.delivery = nullptr;
  }

  void send(std::size_t number) {
    Lookup& lookup = recorder_.lookups[number];
    lookup.source = random_active(simulator_);
    if (lookup.source == kNoNode) return report_.findings.add("no node is active");
    lookup.sent = simulator_.now();
    const Key key = experiment_.random_keys ? simulator_.random().id() : other_id(lookup.source);
    const auto tag = static_cast<std::uint32_t>(number);
    Bytes payload(std::max(experiment_.payload_bytes, sizeof tag));
    std::memcpy(payload.data(), &tag, sizeof tag);
    if (!simulator_.route(lookup.source, kExperimentApplication, key,
                          Payload(std::move(payload)))) {
      report_.findings.add("route() refused a lookup");
    }
  }

  // The id of another active node.
  Key other_id(NodeIndex source) {
    if (simulator_.active_nodes().size() < 2) return simulator_.id(source);
    for (;;) {
      const NodeIndex target = random_active(simulator_);
      if (target != source) return simulator_.id(target);
    }
  }

  void summarise() {
    report_.nodes = experiment_.nodes;
    report_.lookups = experiment_.lookups;
    summarise_hops();
    summarise_stretch();
    report_.features = features_of(simulator_.options());
    report_.message_bytes = simulator_.counters().bytes;
    report_.virtual_s =
        std::chrono::duration<double>(simulator_.now() - simulator_.options().start).count();
    report_.events = simulator_.counters().events;
    report_.wall_s = wall_seconds() - wall_before_;
    report_.peak_rss_bytes = peak_rss_bytes();
    report_.trace_hash = simulator_.trace_hash();
    for (const DropCause bug : {DropCause::unencodable, DropCause::undecodable}) {
      const std::uint64_t drops = simulator_.counters().drops[static_cast<std::size_t>(bug)];
      if (drops != 0) {
        report_.findings.add(std::to_string(drops) + " messages were " + std::string(name(bug)));
      }
    }
    if (simulator_.counters().undirected_sends != 0) {
      report_.findings.add("nodes sent messages to themselves or to nobody");
    }
  }

  void summarise_hops() {
    std::uint64_t sum = 0;
    for (const Lookup& lookup : recorder_.lookups) {
      if (lookup.root == kNoNode) {
        ++report_.lost;
        continue;
      }
      sum += lookup.hops;
      if (lookup.hops >= report_.hops_histogram.size()) {
        report_.hops_histogram.resize(lookup.hops + std::size_t{1});
      }
      ++report_.hops_histogram[lookup.hops];
      report_.hops_max = std::max<std::uint64_t>(report_.hops_max, lookup.hops);
    }
    if (recorder_.delivered > 0) {
      report_.hops_mean = static_cast<double>(sum) / static_cast<double>(recorder_.delivered);
    }
  }

  void summarise_stretch() {
    std::vector<double> ratios;
    double routed = 0;
    double direct = 0;
    for (const Lookup& lookup : recorder_.lookups) {
      if (lookup.root == kNoNode || lookup.root == lookup.source) continue;
      const Duration shortest = simulator_.network().delay(lookup.source, lookup.root);
      if (shortest <= Duration::zero()) continue;
      routed += static_cast<double>(lookup.delay.count());
      direct += static_cast<double>(shortest.count());
      ratios.push_back(static_cast<double>(lookup.delay.count()) /
                       static_cast<double>(shortest.count()));
    }
    if (ratios.empty()) return;
    std::sort(ratios.begin(), ratios.end());
    report_.stretch_total = routed / direct;
    double sum = 0;
    for (const double ratio : ratios) sum += ratio;
    report_.stretch_mean = sum / static_cast<double>(ratios.size());
    report_.stretch_p50 = ratios[ratios.size() / 2];
    report_.stretch_p99 = ratios[ratios.size() * 99 / 100];
  }

  const RouteExperiment& experiment_;
  std::uint64_t heap_before_;
  double wall_before_;
  Recorder recorder_;  // outlives the simulator
  Simulator simulator_;
  RouteReport report_;
};

}  // namespace

Result<RouteReport> run_route_experiment(const RouteExperiment& experiment) {
  if (experiment.nodes == 0) return fail(ErrorCode::invalid, "nodes: 0 is not at least 1");
  if (!(experiment.lookup_rate > 0)) {
    return fail(ErrorCode::invalid, "lookup rate: must be more than 0");
  }
  if (!(experiment.in_flight > 0 && experiment.in_flight <= 10)) {
    return fail(ErrorCode::invalid, "joiners in flight: must be more than 0 and at most 10");
  }
  if (Result<void> valid = experiment.simulator.config.validate(); !valid) {
    return tl::unexpected(valid.error());
  }
  return RouteRun(experiment).run();
}

}  // namespace pastry::sim
