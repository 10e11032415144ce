// Messages routed in a ring of 20 nodes in 4 processes, beside a ZeroMQ round trip.
//
// Every node routes messages with 100 bytes to random keys; leaf sets of 8, production codec, every
// hop acknowledged, no security. First as many as a window allows: `hop_messages_per_second` counts
// each message once per hop that it took until it was delivered. Hops between nodes of one process
// pass no socket and are told apart (`share_local`, of messages sent). Then at a fixed rate, for
// the latency: from route() to deliver() divided by the hops, of messages that took at least one.
// The rival is one message of the same size that two processes send to and fro over PUSH and PULL;
// its round trip stands beside the latency of a hop. Prints one JSON document.
//
//   bench_route [--seconds S] [--nodes N] [--processes P] [--window W] [--rate R]
//
// The window is per node, the rate (of the second part) per node and second.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "pastry/core/random.h"
#include "tests/bench/support.h"

namespace {

using namespace bench;
using pastry::Context;
using pastry::Delivery;
using pastry::NodeId;
using pastry::Payload;

constexpr pastry::ApplicationId kBench = pastry::application_id("bench-route");
constexpr std::size_t kProcessesMax = 8;
constexpr double kStart = 60;
constexpr int kLeafSet = 8;

struct Setup {
  double seconds = 5;
  std::size_t nodes = 20;
  std::size_t processes = 4;
  std::size_t window = 256;
  double rate = 50;
  std::size_t bytes = 100;
};

// Durations by powers of two, 32 steps each: about 2 per cent apart.
class Histogram {
 public:
  void add(std::int64_t nanoseconds) {
    const double place =
        32 * std::log2(static_cast<double>(std::max<std::int64_t>(nanoseconds, 1)));
    auto& count = counts_[std::min(static_cast<std::size_t>(place), counts_.size() - 1)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void add_to(std::vector<std::uint64_t>& sum) const {
    sum.resize(counts_.size());
    for (std::size_t i = 0; i < counts_.size(); ++i) sum[i] += counts_[i];
  }
  static double percentile_us(const std::vector<std::uint64_t>& counts, double share) {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts) all += count;
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(all));
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] > left) return std::exp2((static_cast<double>(i) + 0.5) / 32) / 1000;
      left -= counts[i];
    }
    return 0;
  }

 private:
  std::array<std::atomic<std::uint64_t>, 32 * 36> counts_{};  // up to 68 s; written by one process
};

// What one process tells the others; each number is written by that process only.
struct alignas(64) Told {
  std::array<std::atomic<std::uint64_t>, kProcessesMax> delivered_of{};  // by the source's process
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> hops{0};
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> retransmitted{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> messages_local{0};
  std::atomic<std::uint64_t> messages_sent{0};
  Histogram latency;  // per hop, of the second part
};

enum class Phase : int { wait, full, drain, paced, over };

struct Shared {
  std::atomic<int> port{0};
  std::atomic<int> active{0};
  std::atomic<Phase> phase{Phase::wait};
  std::array<Told, kProcessesMax> processes;
  Histogram round_trip;

  std::uint64_t sum(std::atomic<std::uint64_t> Told::*number) const {
    std::uint64_t all = 0;
    for (const Told& told : processes) all += told.*number;
    return all;
  }
};

void raise(std::atomic<std::uint64_t>& number, std::uint64_t by) {
  number.store(number.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

std::int64_t nanoseconds_now() { return Clock::now().time_since_epoch().count(); }

// What a payload begins with.
struct Stamp {
  std::int64_t sent_at = 0;
  std::uint32_t process = 0;
  std::uint32_t paced = 0;
};

class Router final : public pastry::Application {
 public:
  explicit Router(Told& told) : told_(told) {}

  void deliver(Context, const Delivery& message) override {
    Stamp stamp;
    if (message.payload.size() < sizeof stamp) return;
    std::memcpy(&stamp, message.payload.view().data(), sizeof stamp);
    raise(told_.delivered_of[stamp.process % kProcessesMax], 1);
    raise(told_.delivered, 1);
    raise(told_.hops, message.hops);
    if (stamp.paced != 0 && message.hops > 0)
      told_.latency.add((nanoseconds_now() - stamp.sent_at) / message.hops);
  }

 private:
  Told& told_;
};

// The nodes of one process and what they send.
class Process {
 public:
  Process(Shared& shared, const Setup& setup, std::size_t index)
      : shared_(shared),
        setup_(setup),
        index_(index),
        told_(shared.processes[index]),
        router_(told_),
        random_(index + 1) {}

  void run() {
    pastry::host::Options options;
    options.config = pastry::Config::lan();
    options.config.leaf_set = kLeafSet;
    options.transport.overlay = "bench-route";
    pastry::Random ids(7);
    for (std::size_t i = 0; i < setup_.nodes; ++i) {
      const NodeId id = ids.id();
      if (i % setup_.processes == index_) options.nodes.push_back({id, 1, i + 1});
    }
    auto opened = pastry::host::Host::open(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().message);
    host_ = std::move(*opened);
    begin();
    host_->run();
  }

 private:
  void begin() {
    host_->on_event([this](std::size_t, const pastry::NodeEvent& event) {
      if (std::holds_alternative<pastry::NodeActivated>(event)) ++shared_.active;
    });
    for (std::size_t i = 0; i < host_->node_count(); ++i)
      host_->node(i).add_application(kBench, router_);
    std::size_t first = 0;
    if (index_ == 0) {
      host_->found(first++);
      shared_.port = port_of(host_->address());
    }
    const std::string seed = "tcp://127.0.0.1:" + std::to_string(shared_.port);
    for (std::size_t i = first; i < host_->node_count(); ++i) {
      if (const auto joined = host_->join(i, {seed}); !joined)
        throw std::runtime_error(joined.error().message);
    }
    host_->every(std::chrono::milliseconds(1), [this] { tick(); });
  }

  void tick() {
    report();
    const Phase phase = shared_.phase;
    if (phase == Phase::full && !pumping_) pump();
    if (phase == Phase::paced) pace();
  }

  void pump() {
    pumping_ = shared_.phase == Phase::full;
    if (!pumping_) return;
    std::uint64_t delivered = 0;
    for (const Told& told : shared_.processes) delivered += told.delivered_of[index_];
    const std::uint64_t window = setup_.window * host_->node_count();
    const std::uint64_t outstanding = sent_ - std::min(sent_, delivered);
    const std::size_t each = (window - std::min(window, outstanding)) / host_->node_count();
    for (std::size_t i = 0; each > 0 && i < host_->node_count(); ++i) route(i, each, false);
    // With a full window the next tick goes on.
    pumping_ = each > 0 && host_->post([this] { pump(); });
  }

  // As many as are due by now, in the order of the nodes.
  void pace() {
    const auto now = Clock::now();
    if (next_ == Clock::time_point{}) next_ = now;
    const std::chrono::duration<double> gap(
        1 / (setup_.rate * static_cast<double>(host_->node_count())));
    for (; next_ <= now; next_ += std::chrono::duration_cast<Clock::duration>(gap))
      route(turn_++ % host_->node_count(), 1, true);
  }

  void route(std::size_t node, std::size_t count, bool paced) {
    host_->run_on_node(node, kBench, [&](Context context) {
      for (std::size_t i = 0; i < count; ++i) {
        pastry::Bytes bytes(std::max(setup_.bytes, sizeof(Stamp)), 1);
        const Stamp stamp{nanoseconds_now(), static_cast<std::uint32_t>(index_), paced ? 1U : 0U};
        std::memcpy(bytes.data(), &stamp, sizeof stamp);
        if (context.route(random_.id(), Payload(std::move(bytes)))) ++sent_;
      }
    });
  }

  void report() {
    const pastry::host::Counters counters = host_->counters();
    told_.messages_local = counters.messages_local;
    told_.messages_sent = counters.messages_sent;
    told_.sent = sent_;
    std::uint64_t retransmitted = 0;
    std::uint64_t dropped = counters.dropped_full + counters.dropped_unreachable;
    for (std::size_t i = 0; i < host_->node_count(); ++i) {
      retransmitted += host_->node(i).counters().retransmitted;
      dropped += host_->node(i).counters().dropped;
    }
    told_.retransmitted = retransmitted;
    told_.dropped = dropped;
  }

  Shared& shared_;
  const Setup& setup_;
  std::size_t index_;
  Told& told_;
  Router router_;
  pastry::Random random_;
  std::unique_ptr<pastry::host::Host> host_;
  std::uint64_t sent_ = 0;
  bool pumping_ = false;
  Clock::time_point next_{};
  std::size_t turn_ = 0;
};

// One message to and fro between two processes, `seconds` long.
nlohmann::json measure_round_trip(const Setup& setup) {
  Shared& shared = make_shared_memory<Shared>();
  Children children;
  const auto relay = [&shared, &setup](bool first) {
    zmq::context_t context;
    zmq::socket_t in(context, zmq::socket_type::pull);
    zmq::socket_t out(context, zmq::socket_type::push);
    in.bind("tcp://127.0.0.1:*");
    std::atomic<int>& mine = first ? shared.port : shared.active;
    std::atomic<int>& theirs = first ? shared.active : shared.port;
    mine = port_of(in.get(zmq::sockopt::last_endpoint));
    wait_for([&] { return theirs != 0; }, kStart, "the other side's port");
    out.connect("tcp://127.0.0.1:" + std::to_string(theirs));
    zmq::message_t message(setup.bytes);
    std::memset(message.data(), 1, message.size());
    for (;;) {
      const std::int64_t begin = nanoseconds_now();
      if (first) out.send(message, zmq::send_flags::none);
      if (!in.recv(message)) continue;
      if (!first) out.send(message, zmq::send_flags::none);
      if (first) shared.round_trip.add(nanoseconds_now() - begin);
    }
  };
  children.spawn([&] { relay(true); });
  children.spawn([&] { relay(false); });
  wait_seconds(setup.seconds);
  children.check();
  std::vector<std::uint64_t> counts;
  shared.round_trip.add_to(counts);
  return {{"p50", Histogram::percentile_us(counts, 0.5)},
          {"p99", Histogram::percentile_us(counts, 0.99)}};
}

struct Counts {
  std::uint64_t delivered = 0;
  std::uint64_t hops = 0;
  std::uint64_t local = 0;
  std::uint64_t sent = 0;
  double cpu_s = 0;
  Clock::time_point at{};
};

Counts counts_of(const Shared& shared, const Children& children) {
  return {
      shared.sum(&Told::delivered),     shared.sum(&Told::hops), shared.sum(&Told::messages_local),
      shared.sum(&Told::messages_sent), children.cpu_seconds(),  Clock::now()};
}

nlohmann::json full_speed(Shared& shared, const Children& children, const Setup& setup) {
  shared.phase = Phase::full;
  wait_seconds(1);
  const Counts before = counts_of(shared, children);
  wait_seconds(setup.seconds);
  const Counts after = counts_of(shared, children);
  shared.phase = Phase::drain;
  // Until nothing has been delivered for half a second.
  const auto begin = Clock::now();
  for (std::uint64_t last = 0; last != shared.sum(&Told::delivered) && seconds_since(begin) < 10;) {
    last = shared.sum(&Told::delivered);
    wait_seconds(0.5);
  }
  children.check();
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  const auto hops = static_cast<double>(after.hops - before.hops);
  const auto delivered = static_cast<double>(after.delivered - before.delivered);
  const auto local = static_cast<double>(after.local - before.local);
  const auto remote = static_cast<double>(after.sent - before.sent);
  const std::uint64_t sent = shared.sum(&Told::sent);
  return {{"hop_messages_per_second", std::llround(hops / seconds)},
          {"delivered_per_second", std::llround(delivered / seconds)},
          {"hops_mean", hops / std::max(1.0, delivered)},
          {"share_local", local / std::max(1.0, local + remote)},
          {"cpu_us_per_hop_message", (after.cpu_s - before.cpu_s) * 1e6 / std::max(1.0, hops)},
          {"routed", sent},
          {"lost", sent - std::min(sent, shared.sum(&Told::delivered))},
          {"retransmitted", shared.sum(&Told::retransmitted)},
          {"dropped", shared.sum(&Told::dropped)}};
}

nlohmann::json paced(Shared& shared, const Children& children, const Setup& setup) {
  shared.phase = Phase::paced;
  const Counts before = counts_of(shared, children);
  wait_seconds(setup.seconds);
  const Counts after = counts_of(shared, children);
  shared.phase = Phase::over;
  wait_seconds(0.2);
  children.check();
  std::vector<std::uint64_t> latencies;
  for (const Told& told : shared.processes) told.latency.add_to(latencies);
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  return {{"hop_messages_per_second",
           std::llround(static_cast<double>(after.hops - before.hops) / seconds)},
          {"us_per_hop",
           {{"p50", Histogram::percentile_us(latencies, 0.5)},
            {"p99", Histogram::percentile_us(latencies, 0.99)}}}};
}

nlohmann::json run(const Setup& setup) {
  const nlohmann::json rival = measure_round_trip(setup);
  Shared& shared = make_shared_memory<Shared>();
  Children children;
  for (std::size_t i = 0; i < setup.processes; ++i) {
    children.spawn([&, i] { Process(shared, setup, i).run(); });
    if (i == 0) wait_for([&] { return shared.port != 0; }, kStart, "the first process");
  }
  wait_for([&] { return shared.active == static_cast<int>(setup.nodes); }, kStart, "the ring");
  wait_seconds(2);  // routing tables settle
  nlohmann::json document = {{"nodes", setup.nodes},
                             {"processes", setup.processes},
                             {"leaf_set", kLeafSet},
                             {"payload_bytes", setup.bytes},
                             {"window_per_node", setup.window},
                             {"acknowledgements", true}};
  document["throughput"] = full_speed(shared, children, setup);
  document["latency"] = paced(shared, children, setup);
  document["zeromq_round_trip_us"] = rival;
  const auto& hop = document["latency"]["us_per_hop"];
  document["latency_ratio"] = {{"p50", hop["p50"].get<double>() / rival["p50"].get<double>()},
                               {"p99", hop["p99"].get<double>() / rival["p99"].get<double>()}};
  return document;
}

}  // namespace

int main(int argc, char** argv) {
  Setup setup;
  for (int i = 1; i + 1 < argc; i += 2) {
    const double value = std::atof(argv[i + 1]);
    const auto count = static_cast<std::size_t>(std::max(1.0, value));
    if (std::strcmp(argv[i], "--seconds") == 0) setup.seconds = value;
    if (std::strcmp(argv[i], "--nodes") == 0) setup.nodes = count;
    if (std::strcmp(argv[i], "--processes") == 0) setup.processes = std::min(count, kProcessesMax);
    if (std::strcmp(argv[i], "--window") == 0) setup.window = count;
    if (std::strcmp(argv[i], "--rate") == 0) setup.rate = std::max(1.0, value);
  }
  setup.nodes = std::max(setup.nodes, setup.processes);
  catch_signals();
  try {
    nlohmann::json document = surroundings("route");
    document.update(run(setup));
    std::printf("%s\n", document.dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_route: %s\n", error.what());
    return 1;
  }
}
