// What strangers can do to the three listening sockets while honest peers go on [faults B1-B4, O2].
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.hpp>

#include "pastry/wire/hello.h"
#include "test_host.h"

using namespace pastry;
using namespace pastry::host;

namespace {

int port_of(const std::string& address) {
  return std::stoi(address.substr(address.rfind(':') + 1));
}

int dial(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

void put(int fd, const std::string& bytes) {
  [[maybe_unused]] const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// ZMTP 3.0: greeting of the NULL mechanism and a READY command.
std::string zmtp_start(const std::string& socket_type) {
  std::string text("\xff\0\0\0\0\0\0\0\0\x7f", 10);
  text += std::string("\3\0", 2) + std::string("NULL") + std::string(16, '\0');
  text += std::string(32, '\0');
  std::string ready = std::string("\5READY", 6) + std::string("\x0bSocket-Type", 12);
  ready += std::string("\0\0\0", 3) + static_cast<char>(socket_type.size()) + socket_type;
  return text + '\4' + static_cast<char>(ready.size()) + ready;
}

// True if the other side closes within the limit.
bool closed_within(int fd, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  char buffer[512];
  while (std::chrono::steady_clock::now() < end) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

std::size_t resident_bytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (fscanf(file, "%zu %zu", &total, &resident) != 2) resident = 0;
  fclose(file);
  return resident * 4096;
}

struct Pair {
  std::unique_ptr<TestHost> victim = std::make_unique<TestHost>(TestHost::options(1, 1));
  std::unique_ptr<TestHost> honest = std::make_unique<TestHost>(TestHost::options(1, 2));
  int port = 0;
  int asked = 0;

  Pair() {
    (*victim)->found(0);
    REQUIRE((*honest)->join(0, {(*victim)->address()}));
    port = port_of((*victim)->address());
    victim->start();
    honest->start();
    REQUIRE(eventually([&] { return honest->active(); }));
    CHECK(served());
  }
  // An honest request is answered, and how fast.
  bool served(std::chrono::milliseconds limit = std::chrono::milliseconds(1000)) {
    const Handle to = honest->handle_of(*victim);
    honest->on_node(
        0, [&](Context context) { CHECK(context.request(to, Payload::copy_of("still there?"))); });
    ++asked;
    return eventually([&] { return honest->recorder().replies == asked; }, limit);
  }
};

// What the victim answers to a hello.
wire::HelloReply greet(zmq::context_t& context, Pair& pair, const wire::Hello& hello) {
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.set(zmq::sockopt::rcvtimeo, 2000);
  dealer.connect((*pair.victim)->address());
  const Bytes bytes = *wire::encode(hello);
  dealer.send(zmq::buffer(bytes.data(), bytes.size()));
  zmq::message_t answer;
  REQUIRE(dealer.recv(answer));
  auto reply = wire::decode_hello_reply({answer.data<std::uint8_t>(), answer.size()});
  REQUIRE(reply);
  return std::move(*reply);
}

}  // namespace

TEST_CASE("random bytes and random frames on all three ports") {
  Pair pair;
  Random random(3);
  zmq::context_t context;
  for (int offset = 0; offset < 3; ++offset) {
    std::vector<int> raw;
    for (int i = 0; i < 20; ++i) {
      raw.push_back(dial(pair.port + offset));
      std::string bytes(random.below(2000) + 1, '\0');
      for (auto& byte : bytes) byte = static_cast<char>(random.next());
      put(raw.back(), bytes);
    }
    // Well-formed ZeroMQ traffic without sense, in one to five frames.
    zmq::socket_t socket(context, offset == 0 ? zmq::socket_type::dealer : zmq::socket_type::push);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndtimeo, 500);
    socket.connect("tcp://127.0.0.1:" + std::to_string(pair.port + offset));
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t frames = 1 + random.below(5);
      for (std::uint64_t f = 0; f < frames; ++f) {
        zmq::message_t frame(random.below(200));
        for (std::size_t b = 0; b < frame.size(); ++b)
          static_cast<char*>(frame.data())[b] = static_cast<char>(random.below(3));
        if (!socket.send(frame, f + 1 < frames ? zmq::send_flags::sndmore : zmq::send_flags::none))
          break;
      }
    }
    CHECK(pair.served());
    for (const int fd : raw) close(fd);
  }
  CHECK(pair.victim->counters().dropped_unadmitted > 0);
  CHECK(pair.victim->counters().hellos_refused > 0);
  CHECK(pair.served());
}

TEST_CASE("frames with a stolen token but no sense are dropped and counted") {
  Pair pair;
  zmq::context_t context;
  wire::Hello hello;
  hello.overlay = "pastry";
  hello.ring.leaf_set = 8;
  hello.ring.lease_ms = 3000;  // as Config::lan()
  hello.ring.heartbeat_ms = 1000;
  hello.host.addresses = {"tcp://127.0.0.1:9"};
  hello.host.transport_key.bytes[3] = 9;
  hello.nodes.push_back({NodeId(1, 2), 1, {}});
  const wire::HelloReply reply = greet(context, pair, hello);
  const auto* accepted = std::get_if<wire::HelloAccepted>(&reply);
  REQUIRE(accepted != nullptr);

  zmq::socket_t push(context, zmq::socket_type::push);
  push.set(zmq::sockopt::linger, 0);
  push.set(zmq::sockopt::sndtimeo, 500);
  push.connect("tcp://127.0.0.1:" + std::to_string(pair.port + 1));
  Random random(4);
  const auto before = pair.victim->counters().dropped_malformed;
  for (int i = 0; i < 2000; ++i) {
    std::string frame(reinterpret_cast<const char*>(accepted->challenge.data()), 8);
    const std::uint64_t size = random.below(100);
    for (std::uint64_t b = 0; b < size; ++b) frame += static_cast<char>(random.below(3));
    push.send(zmq::buffer(frame));
  }
  CHECK(eventually([&] { return pair.victim->counters().dropped_malformed > before + 1000; }));
  CHECK(pair.served());
}

TEST_CASE("a wrong version is refused with a type, at once") {
  Pair pair;
  zmq::context_t context;
  wire::Hello hello;
  hello.overlay = "pastry";
  hello.versions = {7, 9};
  hello.host.addresses = {"tcp://127.0.0.1:9"};
  const wire::HelloReply reply = greet(context, pair, hello);
  const auto* refused = std::get_if<wire::HelloRefused>(&reply);
  REQUIRE(refused != nullptr);
  CHECK(refused->reason == wire::HelloRefusal::incompatible_version);
}

TEST_CASE("an announcement of two gigabytes closes the connection and costs no memory") {
  Pair pair;
  const std::size_t before = resident_bytes();
  for (int offset = 0; offset < 3; ++offset) {
    const int fd = dial(pair.port + offset);
    REQUIRE(fd >= 0);
    put(fd, zmtp_start(offset == 0 ? "DEALER" : "PUSH"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    put(fd, std::string("\2\0\0\0\0\x80\0\0\0", 9) + std::string(1000, 'x'));
    CHECK(closed_within(fd, std::chrono::milliseconds(1000)));
    close(fd);
  }
  CHECK(resident_bytes() < before + (1U << 20));
  CHECK(pair.served());
}

TEST_CASE("a message of endless parts is cut off or held up before it fills the memory") {
  Pair pair;
  const std::size_t before = resident_bytes();
  std::size_t most = before;
  for (int offset = 0; offset < 3; ++offset) {
    const int fd = dial(pair.port + offset);
    REQUIRE(fd >= 0);
    put(fd, zmtp_start(offset == 0 ? "DEALER" : "PUSH"));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    // Frames of one byte, each with the more flag: as much as the other side takes until it cuts
    // the connection or has taken nothing for a while. The admission socket must cut it, however
    // slowly a loaded machine lets it.
    const auto patience = std::chrono::seconds(offset == 0 ? 15 : 1);
    std::string parts;
    for (int i = 0; i < 20000; ++i) parts += std::string("\1\1x", 3);
    bool cut = false;
    std::size_t at = 0;
    auto taken = std::chrono::steady_clock::now();
    while (!cut && std::chrono::steady_clock::now() - taken < patience) {
      const ssize_t sent = send(fd, parts.data() + at, parts.size() - at, MSG_NOSIGNAL);
      if (sent >= 0) {
        at = (at + static_cast<std::size_t>(sent)) % parts.size();
        taken = std::chrono::steady_clock::now();
      } else {
        // Shut down with a full window it takes nothing more, but says that it is over.
        cut = errno != EAGAIN || closed_within(fd, std::chrono::milliseconds(1));
      }
      most = std::max(most, resident_bytes());
    }
    CHECK((cut || offset != 0));
    CHECK(pair.served());
    close(fd);
  }
  MESSAGE("resident memory grew by up to " << (most - before) / 1024 << " KiB");
  CHECK(most - before < (256U << 20));
}

TEST_CASE(
    "two thousand silent or half-done handshakes: honest peers are served, descriptors freed") {
  Pair pair;
  const std::size_t before = open_descriptors();
  std::vector<int> silent;
  for (int i = 0; i < 2000; ++i) {
    const int fd = dial(pair.port + i % 3);
    if (fd < 0) continue;
    if (i % 2 == 1) put(fd, std::string("\xff\0\0\0", 4));
    if (i % 5 == 0) put(fd, zmtp_start("DEALER"));
    silent.push_back(fd);
  }
  CHECK(pair.served(std::chrono::milliseconds(500)));
  TestHost late(TestHost::options(1, 9));
  REQUIRE(late->join(0, {(*pair.victim)->address()}));
  late.start();
  CHECK(eventually([&] { return late.active(); }));
  const std::size_t ours = silent.size();
  CHECK(eventually([&] { return open_descriptors() < before + ours + 300; },
                   std::chrono::seconds(8)));
  CHECK(pair.served());
  for (const int fd : silent) close(fd);
}
