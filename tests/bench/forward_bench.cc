// One forwarding hop through a production process, beside a ZeroMQ-only forwarder.
//
// Three processes each: source, forwarder, sink, all on loopback without security. The rival is a
// PULL to PUSH loop that passes two-frame messages (header, payload) on without looking at them,
// with the same high-water mark. Ours are hosts with one node each, production codec, every hop
// acknowledged; the source routes to the sink's id by way of the forwarder. Prints one JSON
// document; `ratio` is ours / rival in messages per second.
//
//   bench_forward [--seconds S] [--window W] [--size BYTES]
//
// The window is what the source keeps between itself and the sink.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "pastry/zmq/host.h"
#include "tests/bench/support.h"

namespace {

using namespace bench;
using namespace pastry;

constexpr ApplicationId kBench = application_id("bench");
constexpr std::size_t kRivalHeader = 128;
constexpr int kHighWaterMark = 1000;
constexpr double kStart = 30;

// What the processes tell each other.
struct Shared {
  std::atomic<std::uint64_t> received;
  std::atomic<std::uint64_t> bytes;
  std::atomic<int> ready;
  std::atomic<int> port;
  std::atomic<bool> through;  // the sink saw messages come from the forwarder
};

struct Measured {
  double per_second = 0;  // messages that reach the sink
  double cpu_us = 0;      // processor time of the forwarder per message
};

Measured measure(Shared& shared, pid_t forwarder, double seconds) {
  wait_seconds(0.5);
  const std::uint64_t before = shared.received;
  const double cpu_before = cpu_seconds(forwarder);
  const auto start = Clock::now();
  wait_seconds(seconds);
  const auto messages = static_cast<double>(shared.received - before);
  const double cpu = cpu_seconds(forwarder) - cpu_before;
  return {messages / seconds_since(start), messages > 0 ? cpu * 1e6 / messages : 0};
}

zmq::socket_t rival_socket(zmq::context_t& context, zmq::socket_type type) {
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
  socket.set(zmq::sockopt::rcvhwm, kHighWaterMark);
  return socket;
}

Measured run_rival(std::size_t size, double seconds) {
  Shared& shared = make_shared_memory<Shared>();
  zmq::context_t context;
  Children children;
  // Ports are chosen by the kernel and passed on through shared memory.
  Shared& sink_port = make_shared_memory<Shared>();
  children.spawn(
      [&] {
        zmq::context_t mine;
        zmq::socket_t pull = rival_socket(mine, zmq::socket_type::pull);
        pull.bind("tcp://127.0.0.1:*");
        sink_port.port = port_of(pull.get(zmq::sockopt::last_endpoint));
        zmq::message_t header;
        zmq::message_t payload;
        for (;;) {
          if (!pull.recv(header) || !pull.recv(payload)) continue;
          shared.received.fetch_add(1, std::memory_order_relaxed);
        }
      },
      "zmq-sink");
  wait_for([&] { return sink_port.port != 0; }, kStart, "the sink's port");
  const pid_t forwarder = children.spawn(
      [&] {
        zmq::context_t mine;
        zmq::socket_t pull = rival_socket(mine, zmq::socket_type::pull);
        zmq::socket_t push = rival_socket(mine, zmq::socket_type::push);
        pull.bind("tcp://127.0.0.1:*");
        push.connect("tcp://127.0.0.1:" + std::to_string(sink_port.port));
        shared.port = port_of(pull.get(zmq::sockopt::last_endpoint));
        zmq::message_t header;
        zmq::message_t payload;
        for (;;) {
          if (!pull.recv(header) || !pull.recv(payload)) continue;
          push.send(header, zmq::send_flags::sndmore);
          push.send(payload, zmq::send_flags::none);
        }
      },
      "zmq-forwarder");
  wait_for([&] { return shared.port != 0; }, kStart, "the forwarder's port");
  children.spawn(
      [&] {
        zmq::context_t mine;
        zmq::socket_t push = rival_socket(mine, zmq::socket_type::push);
        push.connect("tcp://127.0.0.1:" + std::to_string(shared.port));
        const std::string header(kRivalHeader, 'h');
        const std::string payload(size, 'p');
        for (;;) {
          push.send(zmq::buffer(header), zmq::send_flags::sndmore);
          push.send(zmq::buffer(payload), zmq::send_flags::none);
        }
      },
      "zmq-source");
  return measure(shared, forwarder, seconds);
}

class Sink final : public Application {
 public:
  Sink(Shared& shared, NodeId forwarder) : shared_(shared), forwarder_(forwarder) {}
  void deliver(Context context, const Delivery& message) override {
    if (message.previous != kNoHandle && context.id(message.previous) == forwarder_)
      shared_.through = true;
    shared_.received.fetch_add(1, std::memory_order_relaxed);
    shared_.bytes.fetch_add(message.payload.size(), std::memory_order_relaxed);
  }

 private:
  Shared& shared_;
  NodeId forwarder_;
};

class Quiet final : public Application {
 public:
  void deliver(Context, const Delivery&) override {}
};

std::unique_ptr<host::Host> open_host(std::uint64_t id, std::size_t window) {
  host::Options options;
  options.config = Config::lan();
  options.config.leaf_set = 8;
  options.config.unacknowledged_max = 4 * window;
  // Nothing is lost here: a busy machine must not look like loss.
  options.config.rto_initial = std::chrono::seconds(2);
  options.config.rto_min = std::chrono::seconds(2);
  options.config.rto_max = std::chrono::seconds(3);
  options.nodes.push_back({NodeId(id, 0), 1, id});
  options.transport.data_high_water_mark = kHighWaterMark;
  auto opened = host::Host::open(std::move(options));
  if (opened) return std::move(*opened);
  std::fprintf(stderr, "bench_forward: %s\n", opened.error().message.c_str());
  _exit(1);
}

// Keeps `window` messages between itself and the sink.
void run_source(Shared& shared, const std::string& seed_address, std::size_t size,
                std::size_t window, NodeId forwarder, NodeId sink) {
  const auto opened = open_host(0x1000000000000000ULL, window);
  host::Host& host = *opened;
  Quiet quiet;
  host.node(0).add_application(kBench, quiet);
  if (!host.join(0, {seed_address})) std::abort();
  const Payload payload(Bytes(size, 1));
  std::uint64_t sent = 0;
  std::function<void()> pump = [&] {
    const std::uint64_t before = sent;
    const Handle hop = host.directory().find(forwarder);
    if (host.node(0).active() && hop != kNoHandle) {
      host.run_on_node(0, kBench, [&](Context context) {
        RouteOptions route;
        route.hint = hop;
        for (int i = 0; i < 512 && sent < shared.received + window; ++i)
          if (context.route(sink, payload, route)) ++sent;
      });
    } else {
      sent = shared.received;
    }
    if (sent > before) {
      host.post(pump);
    } else {
      host.after(std::chrono::milliseconds(1), pump);  // the window is full
    }
  };
  host.after(std::chrono::seconds(1), pump);
  host.run();
}

Measured run_ours(std::size_t size, double seconds, std::size_t window) {
  Shared& shared = make_shared_memory<Shared>();
  const NodeId forwarder(0x5000000000000000ULL, 0);
  const NodeId sink(0x9000000000000000ULL, 0);
  Children children;
  const pid_t forwarder_pid = children.spawn(
      [&] {
        const auto opened = open_host(forwarder.high(), window);
        host::Host& host = *opened;
        Quiet quiet;
        host.node(0).add_application(kBench, quiet);
        host.found(0);
        shared.port = port_of(host.address());
        host.run();
      },
      "forwarder");
  wait_for([&] { return shared.port != 0; }, kStart, "the forwarder's port");
  const std::string seed = "tcp://127.0.0.1:" + std::to_string(shared.port);
  children.spawn(
      [&] {
        const auto opened = open_host(sink.high(), window);
        host::Host& host = *opened;
        Sink application(shared, forwarder);
        host.node(0).add_application(kBench, application);
        if (!host.join(0, {seed})) std::abort();
        host.on_event([&](std::size_t, const NodeEvent& event) {
          if (std::holds_alternative<NodeActivated>(event)) ++shared.ready;
        });
        host.run();
      },
      "sink");
  wait_for([&] { return shared.ready == 1; }, kStart, "the sink");
  children.spawn([&] { run_source(shared, seed, size, window, forwarder, sink); }, "source");
  wait_for([&] { return shared.through.load(); }, kStart, "messages through the forwarder");
  return measure(shared, forwarder_pid, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 3;
  std::size_t window = 32768;
  std::vector<std::size_t> sizes = {64, 256, 1024};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::atof(argv[i + 1]);
    if (std::strcmp(argv[i], "--window") == 0)
      window = static_cast<std::size_t>(std::atoll(argv[i + 1]));
    if (std::strcmp(argv[i], "--size") == 0)
      sizes = {static_cast<std::size_t>(std::atoll(argv[i + 1]))};
  }
  catch_signals();
  try {
    nlohmann::json results = nlohmann::json::array();
    for (const std::size_t size : sizes) {
      const Measured rival = run_rival(size, seconds);
      const Measured ours = run_ours(size, seconds, window);
      results.push_back({{"payload_bytes", size},
                         {"messages_per_second", std::llround(ours.per_second)},
                         {"zeromq_messages_per_second", std::llround(rival.per_second)},
                         {"ratio", ours.per_second / rival.per_second},
                         {"forwarder_cpu_us_per_message", ours.cpu_us},
                         {"zeromq_forwarder_cpu_us_per_message", rival.cpu_us}});
    }
    const nlohmann::json document = {
        {"benchmark", "forward"},   {"security", "insecure"},
        {"processes", 3},           {"cores", std::thread::hardware_concurrency()},
        {"acknowledgements", true}, {"high_water_mark", kHighWaterMark},
        {"results", results}};
    std::printf("%s\n", document.dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_forward: %s\n", error.what());
    return 1;
  }
}
