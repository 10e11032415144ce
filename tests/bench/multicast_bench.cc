// A topic with subscribers in as many processes, beside a ZeroMQ fan-out to as many processes.
//
// Ours: one node with all services per process; a publisher, which is neither root nor subscriber,
// keeps as many messages unacknowledged as SCRIBE allows; every message goes to the root and down
// the tree, every hop with credit and acknowledgements. The rivals: one process that sends every
// message to all subscribers' processes, as PUB (blocking instead of dropping) and as one PUSH per
// subscriber, with the same payload. Both sides take turns; `ratio` is ours / the faster rival in
// deliveries per second, medians of the rounds. Prints one JSON document; exit code 1 if anything
// was lost, came twice or out of order.
//
//   bench_multicast [--seconds S] [--subscribers N] [--bytes B]
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

#include "tests/bench/support.h"

namespace {

using namespace bench;
namespace fs = std::filesystem;
using pastry::Context;
using pastry::NodeId;
using pastry::Payload;

constexpr std::size_t kSubscribersMax = 128;
constexpr std::size_t kConsumeStep = 256;
constexpr std::size_t kPublishStep = 512;
constexpr int kRounds = 3;
constexpr int kHighWaterMark = 1000;
constexpr double kStart = 30;

struct Counts {
  alignas(64) std::atomic<std::uint64_t> received;
  std::atomic<std::uint64_t> gaps;
  std::atomic<std::uint64_t> out_of_order;
};

struct Shared {
  std::array<Counts, kSubscribersMax> subscribers;
  std::atomic<std::uint64_t> published;
  std::atomic<std::uint64_t> acknowledged;
  std::atomic<std::uint64_t> failed;
  std::atomic<int> active;
  std::atomic<int> attached;
  std::atomic<int> port;
  std::atomic<bool> publish;
  std::array<std::atomic<int>, kSubscribersMax> ports;

  std::uint64_t received(std::size_t count) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += subscribers[i].received;
    return sum;
  }
};

struct Setup {
  double seconds = 2;
  std::size_t subscribers = 10;
  std::size_t bytes = 256;
};

// One round of one side.
struct Rate {
  double per_second = 0;  // deliveries
  double cpu_us = 0;      // processor time of all processes per delivery
};

Rate measure(const Shared& shared, const Children& children, const Setup& setup) {
  const std::uint64_t before = shared.received(setup.subscribers);
  const double cpu_before = children.cpu_seconds();
  const auto begin = Clock::now();
  wait_seconds(setup.seconds);
  const auto deliveries = static_cast<double>(shared.received(setup.subscribers) - before);
  const double cpu = children.cpu_seconds() - cpu_before;
  return {deliveries / seconds_since(begin), deliveries > 0 ? cpu * 1e6 / deliveries : 0};
}

// The rounds of one side.
struct Rates {
  std::vector<double> per_second;
  std::vector<double> cpu_us;

  void add(const Rate& rate) {
    per_second.push_back(rate.per_second);
    cpu_us.push_back(rate.cpu_us);
  }
};

// --- Ours ---

class Subscriber final : public scribe::Subscriber {
 public:
  Subscriber(Shared& shared, Counts& counts, scribe::Scribe& scribe)
      : shared_(shared), counts_(counts), scribe_(scribe) {}

  void start(Context context, const std::string& topic) {
    const auto subscribed = scribe_.subscribe(context, topic, *this);
    if (!subscribed) throw std::runtime_error(subscribed.error().message);
    id_ = *subscribed;
  }

  void attached(Context, const scribe::Key&) override { ++shared_.attached; }

  void message(Context context, const scribe::TopicMessage& message) override {
    if (last_ != 0 && message.sequence != last_ + 1) ++counts_.out_of_order;
    // What comes again does not make up for what was lost.
    if (message.sequence > last_) counts_.received.fetch_add(1, std::memory_order_relaxed);
    last_ = std::max(last_, message.sequence);
    if (++unconsumed_ < kConsumeStep) return;
    scribe_.consumed(context, id_, unconsumed_);
    unconsumed_ = 0;
  }

  void gap(Context, const scribe::Gap&) override { ++counts_.gaps; }

 private:
  Shared& shared_;
  Counts& counts_;
  scribe::Scribe& scribe_;
  scribe::SubscriptionId id_ = 0;
  std::uint64_t last_ = 0;
  std::size_t unconsumed_ = 0;
};

NodeId node_id(std::size_t index, std::size_t nodes) {
  // Evenly spread, the low digits all different.
  const std::uint64_t step = UINT64_MAX / nodes;
  return {step * index + 0x9e3779b9ULL * index, index};
}

// A topic whose root is a subscriber's node: the publisher is the last one.
std::string choose_topic(const scribe::Scribe& scribe, std::size_t nodes) {
  for (int i = 0;; ++i) {
    std::string topic = "bench-" + std::to_string(i);
    const auto key = scribe.group(topic);
    std::size_t root = 0;
    for (std::size_t node = 1; node < nodes; ++node) {
      if (pastry::closer(key, node_id(node, nodes), node_id(root, nodes))) root = node;
    }
    if (root + 1 != nodes) return topic;
  }
}

void run_subscriber(Shared& shared, const Setup& setup, std::size_t index, const fs::path& data) {
  const std::size_t nodes = setup.subscribers + 1;
  const pastry::identity::Sha256 hash;
  const auto store = open_store(hash, data);
  const auto process =
      open_node(node_id(index, nodes), shared.port, *store, [&] { ++shared.active; });
  if (index == 0) shared.port = port_of(process->host->address());
  auto& scribe = process->stack->scribe;
  const std::string topic = choose_topic(scribe, nodes);
  Subscriber subscriber(shared, shared.subscribers[index], scribe);
  pastry::host::Host& host = *process->host;
  bool started = false;
  host.every(std::chrono::milliseconds(20), [&] {
    if (started || shared.active != static_cast<int>(nodes)) return;
    started = true;
    host.run_on_node(0, pastry::kScribeApplication,
                     [&](Context context) { subscriber.start(context, topic); });
  });
  host.run();
}

class Publisher {
 public:
  Publisher(Shared& shared, const Setup& setup, NodeProcess& process, std::string topic)
      : shared_(shared),
        process_(process),
        topic_(std::move(topic)),
        payload_(Payload::copy_of(std::string(setup.bytes, 'p'))) {}

  // Publishes until SCRIBE says that enough wait; acknowledgements call it again.
  void pump(Context context) {
    for (std::size_t i = 0; i < kPublishStep && shared_.publish; ++i) {
      const auto sequence = process_.stack->scribe.publish(
          context, topic_, payload_, [this](Context later, const pastry::Result<void>& result) {
            ++(result ? shared_.acknowledged : shared_.failed);
            // Several are acknowledged together: go on when half of them are gone.
            if (--pending_ == low_) pump(later);
          });
      if (!sequence) break;
      ++pending_;
      ++shared_.published;
    }
    low_ = pending_ / 2;
  }

  bool idle() const { return pending_ == 0; }

 private:
  Shared& shared_;
  NodeProcess& process_;
  std::string topic_;
  Payload payload_;
  std::size_t pending_ = 0;
  std::size_t low_ = 0;
};

void run_publisher(Shared& shared, const Setup& setup, const fs::path& data) {
  const std::size_t nodes = setup.subscribers + 1;
  const pastry::identity::Sha256 hash;
  const auto store = open_store(hash, data);
  const auto process =
      open_node(node_id(nodes - 1, nodes), shared.port, *store, [&] { ++shared.active; });
  Publisher publisher(shared, setup, *process, choose_topic(process->stack->scribe, nodes));
  pastry::host::Host& host = *process->host;
  host.every(std::chrono::milliseconds(1), [&] {
    if (!shared.publish || !publisher.idle()) return;
    host.run_on_node(0, pastry::kScribeApplication,
                     [&](Context context) { publisher.pump(context); });
  });
  host.run();
}

struct Outcome {
  Rate rate;
  std::uint64_t published = 0;
  std::uint64_t failed = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicates_or_disorder = 0;
  std::uint64_t gaps = 0;

  void add(const Outcome& other) {
    published += other.published;
    failed += other.failed;
    lost += other.lost;
    duplicates_or_disorder += other.duplicates_or_disorder;
    gaps += other.gaps;
  }
};

Outcome run_ours(const Setup& setup) {
  Shared& shared = make_shared_memory<Shared>();
  const ScratchDirectory scratch(fs::current_path(), "bench-multicast");
  Children children;
  for (std::size_t i = 0; i < setup.subscribers; ++i) {
    children.spawn(
        [&, i] { run_subscriber(shared, setup, i, scratch.path() / std::to_string(i)); });
    if (i == 0) wait_for([&] { return shared.active == 1 && shared.port != 0; }, kStart, "found");
  }
  children.spawn([&] { run_publisher(shared, setup, scratch.path() / "publisher"); });
  const int wanted = static_cast<int>(setup.subscribers);
  wait_for([&] { return shared.attached == wanted; }, kStart, "subscriptions");
  children.check();
  shared.publish = true;
  wait_seconds(0.5);
  Outcome outcome;
  outcome.rate = measure(shared, children, setup);
  shared.publish = false;
  wait_for([&] { return shared.published == shared.acknowledged + shared.failed; }, kStart,
           "acknowledgements");
  // An acknowledgement says that the root's children have the message; those below follow.
  const std::uint64_t due = shared.published * setup.subscribers;
  const auto begin = Clock::now();
  wait_for([&] { return shared.received(setup.subscribers) >= due || seconds_since(begin) > 3; }, 5,
           "the last deliveries");
  children.check();
  outcome.published = shared.published;
  outcome.failed = shared.failed;
  for (std::size_t i = 0; i < setup.subscribers; ++i) {
    const Counts& counts = shared.subscribers[i];
    outcome.lost += shared.published - std::min<std::uint64_t>(shared.published, counts.received);
    outcome.duplicates_or_disorder += counts.out_of_order;
    outcome.gaps += counts.gaps;
  }
  return outcome;
}

// --- Rivals ---

void rival_subscriber(Shared& shared, std::size_t index, zmq::socket_type type) {
  zmq::context_t context;
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::rcvhwm, kHighWaterMark);
  if (type == zmq::socket_type::sub) {
    socket.set(zmq::sockopt::subscribe, "");
    socket.connect("tcp://127.0.0.1:" + std::to_string(shared.port));
  } else {
    socket.bind("tcp://127.0.0.1:*");
    shared.ports[index] = port_of(socket.get(zmq::sockopt::last_endpoint));
  }
  zmq::message_t message;
  auto& received = shared.subscribers[index].received;
  while (socket.recv(message)) received.fetch_add(1, std::memory_order_relaxed);
}

void rival_pub(Shared& shared, const Setup& setup) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::xpub);
  socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
  socket.set(zmq::sockopt::xpub_nodrop, 1);
  socket.set(zmq::sockopt::xpub_verbose, 1);  // every subscriber is told of, not only the first
  socket.bind("tcp://127.0.0.1:*");
  shared.port = port_of(socket.get(zmq::sockopt::last_endpoint));
  zmq::message_t subscription;
  for (std::size_t i = 0; i < setup.subscribers; ++i) (void)socket.recv(subscription);
  const std::string payload(setup.bytes, 'p');
  while (socket.send(zmq::buffer(payload), zmq::send_flags::none)) {
  }
}

void rival_push(Shared& shared, const Setup& setup) {
  zmq::context_t context;
  std::vector<zmq::socket_t> sockets;
  for (std::size_t i = 0; i < setup.subscribers; ++i) {
    zmq::socket_t& socket = sockets.emplace_back(context, zmq::socket_type::push);
    socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
    wait_for([&] { return shared.ports[i] != 0; }, kStart, "a subscriber's port");
    socket.connect("tcp://127.0.0.1:" + std::to_string(shared.ports[i]));
  }
  const std::string payload(setup.bytes, 'p');
  for (;;) {
    for (zmq::socket_t& socket : sockets) socket.send(zmq::buffer(payload), zmq::send_flags::none);
  }
}

Rate run_rival(const Setup& setup, bool push) {
  Shared& shared = make_shared_memory<Shared>();
  Children children;
  children.spawn([&] { push ? rival_push(shared, setup) : rival_pub(shared, setup); });
  if (!push) wait_for([&] { return shared.port != 0; }, kStart, "the publisher's port");
  const auto type = push ? zmq::socket_type::pull : zmq::socket_type::sub;
  for (std::size_t i = 0; i < setup.subscribers; ++i) {
    children.spawn([&shared, i, type] { rival_subscriber(shared, i, type); });
  }
  wait_for(
      [&] {
        for (std::size_t i = 0; i < setup.subscribers; ++i) {
          if (shared.subscribers[i].received == 0) return false;
        }
        return true;
      },
      kStart, "first deliveries");
  wait_seconds(0.5);
  return measure(shared, children, setup);
}

nlohmann::json run(const Setup& setup) {
  Rates ours, pub, push;
  Outcome total;
  for (int round = 0; round < kRounds; ++round) {
    pub.add(run_rival(setup, false));
    push.add(run_rival(setup, true));
    const Outcome outcome = run_ours(setup);
    ours.add(outcome.rate);
    total.add(outcome);
  }
  const double limit = std::max(median(pub.per_second), median(push.per_second));
  return {{"payload_bytes", setup.bytes},
          {"subscribers", setup.subscribers},
          {"processes", setup.subscribers + 1},
          {"acknowledgements", true},
          {"rounds", kRounds},
          {"deliveries_per_second", std::llround(median(ours.per_second))},
          {"zeromq_pub_sub_deliveries_per_second", std::llround(median(pub.per_second))},
          {"zeromq_push_pull_deliveries_per_second", std::llround(median(push.per_second))},
          {"ratio", median(ours.per_second) / limit},
          {"cpu_us_per_delivery", median(ours.cpu_us)},
          {"zeromq_pub_sub_cpu_us_per_delivery", median(pub.cpu_us)},
          {"zeromq_push_pull_cpu_us_per_delivery", median(push.cpu_us)},
          {"deliveries_per_second_of_rounds", ours.per_second},
          {"zeromq_pub_sub_of_rounds", pub.per_second},
          {"zeromq_push_pull_of_rounds", push.per_second},
          {"published", total.published},
          {"publishes_failed", total.failed},
          {"deliveries_lost", total.lost},
          {"out_of_order_or_twice", total.duplicates_or_disorder},
          {"gaps_reported", total.gaps}};
}

}  // namespace

int main(int argc, char** argv) {
  Setup setup;
  for (int i = 1; i + 1 < argc; i += 2) {
    const double value = std::atof(argv[i + 1]);
    if (std::strcmp(argv[i], "--seconds") == 0) setup.seconds = value;
    if (std::strcmp(argv[i], "--subscribers") == 0) {
      if (!(value >= 1 && value <= kSubscribersMax)) {
        std::fprintf(stderr, "bench_multicast: --subscribers takes 1 to %zu\n", kSubscribersMax);
        return 2;
      }
      setup.subscribers = static_cast<std::size_t>(value);
    }
    if (std::strcmp(argv[i], "--bytes") == 0) setup.bytes = static_cast<std::size_t>(value);
  }
  catch_signals();
  try {
    nlohmann::json document = surroundings("multicast");
    document.update(run(setup));
    std::printf("%s\n", document.dump(2).c_str());
    std::fprintf(stderr,
                 "multicast: %lld deliveries/s of %zu B to %zu processes, ZeroMQ PUB/SUB %lld, "
                 "PUSH/PULL %lld: ratio %.2f; %llu lost\n",
                 document["deliveries_per_second"].get<long long>(), setup.bytes, setup.subscribers,
                 document["zeromq_pub_sub_deliveries_per_second"].get<long long>(),
                 document["zeromq_push_pull_deliveries_per_second"].get<long long>(),
                 document["ratio"].get<double>(),
                 document["deliveries_lost"].get<unsigned long long>());
    for (const char* fault : {"deliveries_lost", "out_of_order_or_twice", "gaps_reported"}) {
      if (document[fault] == 0) continue;
      std::fprintf(stderr, "bench_multicast: %s is not 0\n", fault);
      return 1;
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_multicast: %s\n", error.what());
    return 1;
  }
}
