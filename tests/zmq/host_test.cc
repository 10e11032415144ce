#include <chrono>
#include <optional>

#include "test_host.h"

using namespace pastry;
using namespace pastry::host;

namespace {

// Hosts that have formed one ring.
struct Ring {
  std::vector<std::unique_ptr<TestHost>> hosts;

  Ring(std::size_t processes, std::size_t nodes,
       const std::function<void(Options&)>& adjust = nullptr) {
    for (std::size_t i = 0; i < processes; ++i) {
      Options options = TestHost::options(nodes, 100 + i);
      if (adjust) adjust(options);
      hosts.push_back(std::make_unique<TestHost>(std::move(options)));
    }
    const std::string first = (*hosts[0])->address();
    for (std::size_t i = 0; i < processes; ++i)
      for (std::size_t n = 0; n < nodes; ++n) {
        if (i == 0 && n == 0) {
          (*hosts[0])->found(0);
        } else {
          REQUIRE((*hosts[i])->join(n, {first}));
        }
      }
    for (auto& host : hosts) host->start();
  }
  TestHost& at(std::size_t i) { return *hosts[i]; }
  bool all_active() {
    for (auto& host : hosts)
      if (!host->all_active()) return false;
    return true;
  }
};

}  // namespace

TEST_CASE("hosts with several nodes each form a ring and route to the closest node") {
  Ring ring(4, 3);
  REQUIRE(eventually([&] { return ring.all_active(); }, std::chrono::seconds(20)));

  Random random(5);
  int expected = 0;
  for (int i = 0; i < 60; ++i) {
    const Key key = random.id();
    TestHost* owner = nullptr;
    std::size_t owner_node = 0;
    NodeId best;
    for (auto& host : ring.hosts)
      for (std::size_t n = 0; n < 3; ++n) {
        const NodeId& id = (*host)->node(n).id();
        if (owner == nullptr || closer(key, id, best)) {
          owner = host.get();
          owner_node = n;
          best = id;
        }
      }
    const std::string text = "lookup " + std::to_string(i);
    ring.at(i % 4).on_node(i % 3, [&](Context context) {
      RouteOptions options;
      options.wants_outcome = true;
      CHECK(context.route(key, Payload::copy_of(text), options));
    });
    ++expected;
    CHECK(eventually([&] {
      const auto texts = owner->recorder(owner_node).texts();
      return std::find(texts.begin(), texts.end(), text) != texts.end();
    }));
  }
  CHECK(eventually([&] {
    int replies = 0;
    for (auto& host : ring.hosts)
      for (std::size_t n = 0; n < 3; ++n) replies += host->recorder(n).replies;
    return replies == expected;
  }));
}

TEST_CASE("payloads of all sizes arrive whole, in order, at every priority") {
  Ring ring(2, 1);
  REQUIRE(eventually([&] { return ring.all_active(); }));
  const Handle to = ring.at(0).handle_of(ring.at(1));
  std::uint64_t bytes = 0;
  int messages = 0;
  ring.at(0).on_node(0, [&](Context context) {
    for (const std::size_t size : {0, 1, 33, 255, 4096, 4097, 65536}) {
      CHECK(context.send(to, Payload(Bytes(size, 7))));
      CHECK(context.send(to, Payload(Bytes(size, 7)), Priority::bulk));
      bytes += 2 * size;
      messages += 2;
    }
    CHECK(context.send(to, Payload(Bytes(1U << 20, 9)), Priority::bulk));
    bytes += 1U << 20;
    ++messages;
    for (int i = 0; i < 50; ++i)
      CHECK(context.send(to, Payload::copy_of("n" + std::to_string(100 + i))));
    messages += 50;
    for (int i = 0; i < 50; ++i) bytes += 4;
  });
  CHECK(eventually([&] { return ring.at(1).recorder().received == messages; }));
  CHECK(ring.at(1).recorder().bytes == bytes);
  std::vector<std::string> numbered;
  for (const auto& text : ring.at(1).recorder().texts())
    if (text.starts_with("n")) numbered.push_back(text);
  CHECK(numbered.size() == 50);
  CHECK(std::is_sorted(numbered.begin(), numbered.end()));
}

TEST_CASE("requests are answered, also between nodes of one process") {
  Ring ring(2, 2);
  REQUIRE(eventually([&] { return ring.all_active(); }));
  const Handle remote = ring.at(0).handle_of(ring.at(1), 1);
  const Handle local = ring.at(0).handle_of(ring.at(0), 1);
  const std::uint64_t before = ring.at(0).counters().messages_local;
  ring.at(0).on_node(0, [&](Context context) {
    for (int i = 0; i < 100; ++i) {
      CHECK(context.request(remote, Payload::copy_of("q")));
      CHECK(context.request(local, Payload::copy_of("q")));
    }
  });
  CHECK(eventually([&] { return ring.at(0).recorder().replies == 200; }));
  CHECK(ring.at(0).counters().messages_local >= before + 200);
}

// A second process that joins the first with other options; the first failure it reports.
JoinFailed refusal(const std::function<void(Options&)>& adjust) {
  std::mutex mutex;
  std::optional<JoinFailed> reported;
  TestHost first(TestHost::options(1, 1));
  Options other = TestHost::options(1, 2);
  adjust(other);
  TestHost second(std::move(other));
  first->found(0);
  REQUIRE(second->join(0, {first->address()}));
  second->on_event([&](std::size_t, const NodeEvent& event) {
    const std::lock_guard lock(mutex);
    if (const auto* failed = std::get_if<JoinFailed>(&event); failed && !reported)
      reported = *failed;
  });
  first.start();
  second.start();
  REQUIRE(eventually(
      [&] {
        const std::lock_guard lock(mutex);
        return reported.has_value();
      },
      std::chrono::seconds(1)));
  CHECK(first.counters().hellos_refused >= 1);
  CHECK(first.counters().hellos_refused <= 4);
  CHECK_FALSE(second.active());
  const std::lock_guard lock(mutex);
  return *reported;
}

TEST_CASE("nodes of another overlay are refused and the joiner says why") {
  const JoinFailed name = refusal([](Options& o) { o.transport.overlay = "elsewhere"; });
  CHECK(name.code == ErrorCode::invalid);
  CHECK(name.reason.find("this is overlay 'pastry'") != std::string::npos);
  const JoinFailed leaves = refusal([](Options& o) { o.config.leaf_set += 2; });
  CHECK(leaves.code == ErrorCode::conflict);
  CHECK(leaves.reason.find("leaf set") != std::string::npos);
  const JoinFailed digits = refusal([](Options& o) { o.config.digit_bits = 2; });
  CHECK(digits.code == ErrorCode::conflict);
  CHECK(digits.reason.find("2 bits per digit") != std::string::npos);
  CHECK(digits.reason.find("leaf set") == std::string::npos);  // that is the same
  const JoinFailed lease = refusal([](Options& o) { o.config.lease = milliseconds(2500); });
  CHECK(lease.code == ErrorCode::conflict);
  CHECK(lease.reason.find("leases of 2.5s") != std::string::npos);
  const JoinFailed beat = refusal([](Options& o) { o.config.heartbeat_period = seconds(10); });
  CHECK(beat.code == ErrorCode::conflict);
  CHECK(beat.reason.find("heartbeats of 10s") != std::string::npos);
}

TEST_CASE("a joiner that reaches nobody says so and goes on trying") {
  Options late_options = TestHost::options(1, 1);
  TestHost joiner(TestHost::options(1, 2));
  std::string address;
  {
    TestHost probe(TestHost::options(1, 3));
    address = probe->address();
  }
  REQUIRE(joiner->join(0, {address}));
  std::atomic<int> failures{0};
  joiner->on_event([&](std::size_t, const NodeEvent& event) {
    if (std::holds_alternative<JoinFailed>(event)) ++failures;
  });
  joiner.start();
  CHECK(eventually([&] { return failures >= 1; }, std::chrono::seconds(2)));
  late_options.transport.listen = address;
  TestHost late(std::move(late_options));
  late->found(0);
  late.start();
  CHECK(eventually([&] { return joiner.active(); }));
}

TEST_CASE("a seed of another overlay does not end a join that another seed can still serve") {
  Options late_options = TestHost::options(1, 1);
  late_options.transport.listen = TestHost(TestHost::options(1, 3))->address();
  Options foreign_options = TestHost::options(1, 4);
  foreign_options.transport.overlay = "elsewhere";
  TestHost foreign(std::move(foreign_options));
  foreign->found(0);
  foreign.start();
  TestHost joiner(TestHost::options(1, 2));
  REQUIRE(joiner->join(0, {foreign->address(), late_options.transport.listen}));
  std::mutex mutex;
  std::vector<JoinFailed> failures;
  joiner->on_event([&](std::size_t, const NodeEvent& event) {
    const std::lock_guard lock(mutex);
    if (const auto* failed = std::get_if<JoinFailed>(&event)) failures.push_back(*failed);
  });
  joiner.start();
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return failures.size() >= 2;
  }));
  const std::string address = late_options.transport.listen;
  TestHost late(std::move(late_options));
  late->found(0);
  late.start();
  CHECK(eventually([&] { return joiner.active(); }));
  const std::lock_guard lock(mutex);
  for (const JoinFailed& failed : failures) {
    CHECK(failed.code == ErrorCode::unavailable);
    CHECK(failed.reason.find(address) != std::string::npos);
    CHECK(failed.reason.find("this is overlay 'elsewhere'") != std::string::npos);
  }
}

TEST_CASE("only loopback addresses are accepted in insecure mode") {
  const auto refused = [](const std::function<void(Options&)>& adjust, ErrorCode code) {
    Options options = TestHost::options(1, 1);
    adjust(options);
    auto host = Host::open(std::move(options));
    REQUIRE_FALSE(host);
    CHECK(host.error().code == code);
    CHECK(host.error().message.find('\n') == std::string::npos);
    return host.error().message;
  };
  refused([](Options& o) { o.transport.listen = "tcp://0.0.0.0:0"; }, ErrorCode::invalid);
  refused([](Options& o) { o.transport.listen = "tcp://10.1.2.3:0"; }, ErrorCode::invalid);
  refused([](Options& o) { o.transport.advertise = "tcp://example.org:80"; }, ErrorCode::invalid);
  refused([](Options& o) { o.transport.listen = "nonsense"; }, ErrorCode::invalid);
  refused([](Options& o) { o.transport.overlay = ""; }, ErrorCode::invalid);
  refused([](Options& o) { o.nodes.clear(); }, ErrorCode::invalid);
  refused([](Options& o) { o.config.leaf_set = 3; }, ErrorCode::invalid);
  TestHost host(TestHost::options(1, 1));
  CHECK(host->security_notice().starts_with("insecure"));
  const auto joined = host->join(0, {"tcp://192.168.1.1:4000"});
  REQUIRE_FALSE(joined);
  CHECK(joined.error().code == ErrorCode::invalid);
}

TEST_CASE("a taken port is one clear line, whichever of the three it is") {
  TestHost first(TestHost::options(1, 1));
  for (const int offset : {-2, -1, 0, 1, 2}) {
    Options options = TestHost::options(1, 2);
    const std::string& address = first->address();
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    options.transport.listen = "tcp://127.0.0.1:" + std::to_string(port + offset);
    auto second = Host::open(std::move(options));
    REQUIRE_FALSE(second);
    CHECK(second.error().code == ErrorCode::conflict);
    CHECK(second.error().message.find("port taken") != std::string::npos);
  }
}

TEST_CASE("IPv6, names and an advertised address that differs") {
  for (const char* listen : {"tcp://[::1]:0", "tcp://localhost:*"}) {
    CAPTURE(listen);
    Ring ring(2, 1, [&](Options& options) { options.transport.listen = listen; });
    CHECK(eventually([&] { return ring.all_active(); }));
  }
  Options options = TestHost::options(1, 1);
  options.transport.listen = "tcp://127.0.0.1:0";
  options.transport.advertise = "tcp://127.0.0.2:0";
  TestHost host(std::move(options));
  CHECK(host->address().starts_with("tcp://127.0.0.2:"));
  CHECK_FALSE(host->address().ends_with(":0"));
}

TEST_CASE("posts from many threads all run, and are refused after the end") {
  TestHost host(TestHost::options(1, 1));
  host->found(0);
  host.start();
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i)
        while (!host->post([&] { ++ran; })) std::this_thread::yield();
    });
  for (auto& thread : threads) thread.join();
  CHECK(eventually([&] { return ran == 4000; }));
  host.stop();
  CHECK_FALSE(host->post([] {}));
}

TEST_CASE("timers fire, repeat and can be cancelled") {
  TestHost host(TestHost::options(1, 1));
  std::atomic<int> once{0};
  std::atomic<int> often{0};
  std::atomic<int> never{0};
  host->after(std::chrono::milliseconds(20), [&] { ++once; });
  Host::Token repeated = 0;
  repeated = host->every(std::chrono::milliseconds(5), [&] {
    if (++often == 5) host->cancel(repeated);
  });
  const auto cancelled = host->after(std::chrono::milliseconds(30), [&] { ++never; });
  host->cancel(cancelled);
  host.start();
  CHECK(eventually([&] { return once == 1 && often == 5; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(often == 5);
  CHECK(never == 0);
}

TEST_CASE("stopping is quick, with and without peers") {
  Ring ring(3, 2);
  REQUIRE(eventually([&] { return ring.all_active(); }));
  for (auto& host : ring.hosts) {
    const auto start = std::chrono::steady_clock::now();
    host->stop(true);
    host.reset();
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(1000));
  }
}

TEST_CASE("a graceful leave is noticed at once, a vanished process within the detection time") {
  Ring ring(3, 1);
  REQUIRE(eventually([&] { return ring.all_active(); }));
  const auto members = [&](std::size_t i) {
    return ring.at(i).ask([&] { return ring.at(i)->node(0).tables().leaf_set.distinct_size(); });
  };
  CHECK(eventually([&] { return members(0) == 2; }));
  ring.at(2).stop(true);
  CHECK(eventually([&] { return members(0) == 1; }, std::chrono::seconds(1)));
  ring.at(1).stop(false);
  CHECK(eventually([&] { return members(0) == 0; }, std::chrono::seconds(8)));
}

TEST_CASE("a process that restarts with a higher incarnation is a member again at once") {
  Ring ring(2, 1);
  REQUIRE(eventually([&] { return ring.all_active(); }));
  const std::string address = ring.at(1)->address();
  const PeerInfo remembered{ring.at(0)->node(0).id(), 1, ring.at(0)->info(), {}};
  ring.at(1).stop(false);
  ring.hosts[1].reset();
  Options options = TestHost::options(1, 101);
  options.nodes[0].incarnation = 2;
  options.transport.listen = address;
  TestHost again(std::move(options));
  REQUIRE(again->join(0, {}, std::span(&remembered, 1), true));
  again.start();
  CHECK(eventually([&] { return again.active(); }));
  CHECK(eventually([&] {
    return ring.at(0).ask([&] {
      const Node& node = ring.at(0)->node(0);
      const auto& leaves = node.tables().leaf_set;
      return leaves.distinct_size() == 1 &&
             node.directory().incarnation(leaves.right_neighbour()) == 2;
    });
  }));
}

TEST_CASE("a lost connection is a hint to the nodes, also after the directory was collected") {
  Ring ring(2, 1, [](Options& options) {
    // Nothing but the hint can tell in time.
    options.config.heartbeat_period = std::chrono::minutes(5);
    options.config.leaf_exchange_period = std::chrono::minutes(5);
    options.config.table_settle_period = std::chrono::minutes(5);
    options.collection_period = std::chrono::milliseconds(20);
  });
  REQUIRE(eventually([&] { return ring.all_active(); }, std::chrono::seconds(20)));
  const auto neighbours = [&] {
    return ring.at(0).ask(
        [&] { return (*ring.hosts[0])->node(0).tables().leaf_set.distinct_size(); });
  };
  REQUIRE(neighbours() == 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ring.at(1).stop(false);
  CHECK(eventually([&] { return neighbours() == 0; }, std::chrono::seconds(20)));
}
