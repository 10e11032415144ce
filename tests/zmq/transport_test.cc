// The transport by itself: two of them driven by hand, without nodes.
#include "pastry/zmq/transport.h"

#include <sys/resource.h>

#include <chrono>
#include <thread>

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

#include "pastry/zmq/clock.h"

using namespace pastry;
using namespace pastry::host;

namespace {

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

// One end.
struct End final : TransportEvents {
  Directory directory;
  InsecureLoopbackVerifier verifier;
  std::unique_ptr<Transport> transport;
  std::vector<std::string> headers;
  std::uint64_t payload_bytes = 0;
  int lost_hosts = 0;

  explicit End(const std::function<void(TransportOptions&)>& adjust = nullptr) {
    TransportOptions options;
    if (adjust) adjust(options);
    auto opened = Transport::open(options, directory, verifier, *this);
    REQUIRE(opened);
    transport = std::move(*opened);
    Random random(load_u64(transport->self().transport_key.bytes.data()));
    transport->set_nodes({{random.id(), 1, {}}});
  }

  bool arrived(const AdmittedProcess&, ByteView header, Payload payload) override {
    headers.emplace_back(header.begin(), header.end());
    payload_bytes += payload.size();
    return true;
  }
  void unreachable(const HostInfo&) override { ++lost_hosts; }

  HostIndex knows(const End& other) { return directory.intern_host(other.transport->self()); }
  bool send(HostIndex to, Priority priority, std::string_view header, std::size_t size = 0) {
    return transport->send(to, priority, bytes_of(header), Payload(Bytes(size, 1)), boot_time());
  }
  void turn(bool reading = true) {
    transport->receive(reading, boot_time);
    transport->flush(boot_time());
    transport->tick(boot_time());
  }
};

bool drive(std::initializer_list<End*> ends, const std::function<bool()>& until,
           std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto stop = std::chrono::steady_clock::now() + limit;
  while (!until()) {
    if (std::chrono::steady_clock::now() > stop) return false;
    for (End* end : ends) end->turn();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

}  // namespace

TEST_CASE("a first message greets, connects and arrives; connections are lazy") {
  End a;
  End b;
  const HostIndex to = a.knows(b);
  CHECK(a.transport->connected_peers() == 0);
  CHECK(a.send(to, Priority::control, "hello"));
  CHECK(drive({&a, &b}, [&] { return b.headers.size() == 1; }));
  CHECK(b.headers[0] == "hello");
  CHECK(drive({&a, &b}, [&] { return a.transport->connected_peers() == 1; }));
  CHECK(b.transport->connected_peers() == 0);
}

TEST_CASE("what waits for one peer is sent control first, then application") {
  End a;
  End b;
  const HostIndex to = a.knows(b);
  // All of it waits for the greeting.
  for (int i = 0; i < 20; ++i) CHECK(a.send(to, Priority::application, "application", 8000));
  for (int i = 0; i < 20; ++i) CHECK(a.send(to, Priority::control, "control"));
  CHECK(drive({&a, &b}, [&] { return b.headers.size() == 40; }));
  for (std::size_t i = 0; i < 40; ++i) CHECK(b.headers[i] == (i < 20 ? "control" : "application"));
}

TEST_CASE("what a stopped peer does not take is bounded, others are served, order is kept") {
  const auto small = [](TransportOptions& options) { options.bytes_per_peer_max = 4U << 20; };
  End a(small);
  End stopped;
  End honest;
  const HostIndex to = a.knows(stopped);
  CHECK(a.send(to, Priority::application, "first"));
  CHECK(drive({&a, &stopped}, [&] { return stopped.headers.size() == 1; }));

  std::size_t refused = 0;
  std::size_t taken = 0;
  for (int i = 0; i < 4000; ++i) {
    ++(a.send(to, Priority::application, "n" + std::to_string(1000 + i), 30000) ? taken : refused);
    (void)a.send(to, Priority::bulk, "bulk", 60000);
    a.turn();
  }
  CHECK(refused > 0);
  CHECK(a.transport->counters().dropped_full >= refused);
  CHECK(a.transport->queued_bytes(stopped.transport->self()) <= (5U << 20));
  CHECK(a.send(to, Priority::control, "control passes"));

  const auto start = std::chrono::steady_clock::now();
  CHECK(a.send(a.knows(honest), Priority::application, "hi"));
  CHECK(drive({&a, &honest}, [&] { return honest.headers.size() == 1; }));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));

  CHECK(drive(
      {&a, &stopped}, [&] { return a.transport->drained(); }, std::chrono::seconds(20)));
  CHECK(drive({&a, &stopped}, [&] {
    return static_cast<std::size_t>(
               std::count_if(stopped.headers.begin(), stopped.headers.end(),
                             [](const auto& h) { return h.starts_with("n"); })) == taken;
  }));
  std::erase_if(stopped.headers, [](const auto& h) { return !h.starts_with("n"); });
  CHECK(std::is_sorted(stopped.headers.begin(), stopped.headers.end()));
}

TEST_CASE("nobody there: the queue is dropped, the user told, and dialing rests") {
  End a;
  HostInfo nobody;
  nobody.transport_key.bytes[0] = 1;
  {
    End gone;
    nobody.addresses = gone.transport->self().addresses;
  }
  const HostIndex to = a.directory.intern_host(nobody);
  CHECK(a.send(to, Priority::application, "x"));
  CHECK(drive(
      {&a}, [&] { return a.lost_hosts == 1; }, std::chrono::seconds(3)));
  CHECK(a.transport->counters().dropped_unreachable == 1);
  CHECK_FALSE(a.send(to, Priority::application, "y"));
  CHECK(drive(
      {&a}, [&] { return a.send(to, Priority::application, "z"); }, std::chrono::seconds(1)));
}

TEST_CASE("another process at the same address is not mistaken for the old one") {
  End a;
  End b;
  HostInfo old = b.transport->self();
  old.transport_key.bytes[5] ^= 1;
  CHECK(a.send(a.directory.intern_host(old), Priority::application, "for the old one"));
  CHECK(drive({&a, &b}, [&] { return a.lost_hosts == 1; }));
  CHECK(b.headers.empty());
}

TEST_CASE("a peer that vanishes is reported, and found again when it is back") {
  End a;
  auto b = std::make_unique<End>();
  const HostIndex to = a.knows(*b);
  CHECK(a.send(to, Priority::application, "x"));
  CHECK(drive({&a, b.get()}, [&] { return a.transport->connected_peers() == 1; }));
  b.reset();
  CHECK(drive(
      {&a}, [&] { return a.lost_hosts == 1; }, std::chrono::seconds(5)));
  CHECK(a.transport->connected_peers() == 0);
}

TEST_CASE("the sending cap is kept and does not hold control messages back") {
  End a([](TransportOptions& options) { options.send_rate_max = 1U << 20; });
  End b;
  const HostIndex to = a.knows(b);
  CHECK(a.send(to, Priority::control, "up"));
  CHECK(drive({&a, &b}, [&] { return b.headers.size() == 1; }));
  const auto start = std::chrono::steady_clock::now();
  const auto seconds_since = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (int i = 0; i < 50; ++i) CHECK(a.send(to, Priority::application, "data", 20000));
  a.turn();
  CHECK(a.send(to, Priority::control, "urgent"));
  CHECK(drive({&a, &b}, [&] {
    return std::find(b.headers.begin(), b.headers.end(), "urgent") != b.headers.end();
  }));
  CHECK(seconds_since() < 0.5);
  CHECK(drive({&a, &b}, [&] { return b.headers.size() == 52; }));
  CHECK(seconds_since() > 0.8);
}

TEST_CASE("injected loss is seeded and of the right size") {
  const auto run = [] {
    End a;
    End b([](TransportOptions& options) {
      options.loss = 0.25;
      options.loss_seed = 11;
    });
    const HostIndex to = a.knows(b);
    for (int i = 0; i < 2000; ++i) CHECK(a.send(to, Priority::application, std::to_string(i)));
    CHECK(drive({&a, &b}, [&] { return b.transport->counters().messages_received == 2000; }));
    return b.headers;
  };
  const auto first = run();
  CHECK(first.size() > 1400);
  CHECK(first.size() < 1600);
  CHECK(run() == first);
}

TEST_CASE("idle connections are closed and made again when needed") {
  End a([](TransportOptions& options) { options.idle_timeout = milliseconds(200); });
  End b;
  const HostIndex to = a.knows(b);
  CHECK(a.send(to, Priority::application, "x"));
  CHECK(drive({&a, &b}, [&] { return a.transport->connected_peers() == 1; }));
  CHECK(drive({&a, &b}, [&] { return a.transport->connected_peers() == 0; }));
  CHECK(a.send(to, Priority::application, "y"));
  CHECK(drive({&a, &b}, [&] { return b.headers.size() == 2; }));
}

TEST_CASE("the number of peers is bounded") {
  End a([](TransportOptions& options) { options.peers_max = 2; });
  End b;
  End c;
  End d;
  CHECK(a.send(a.knows(b), Priority::application, "x"));
  CHECK(a.send(a.knows(c), Priority::application, "x"));
  CHECK_FALSE(a.send(a.knows(d), Priority::application, "x"));
  CHECK(drive({&a, &b, &c}, [&] { return b.headers.size() == 1 && c.headers.size() == 1; }));
  // A moment later the longest unused one makes room.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(a.send(a.knows(d), Priority::application, "x"));
  CHECK(drive({&a, &d}, [&] { return d.headers.size() == 1; }));
}
