// Server and client of the control protocol over a real socket.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "apps/control/client.h"
#include "apps/control/server.h"
#include "tests/apps/scratch.h"

using namespace pastry;
using namespace pastry::control;
using namespace std::chrono_literals;

namespace {

// A server on a thread of its own.
class Running {
 public:
  explicit Running(const std::function<void(Server&)>& set_up, const Server::Limits& limits = {})
      : endpoint_("ipc://" + (scratch_.path() / "socket").string()) {
    auto server = Server::open({endpoint_}, limits);
    REQUIRE(server);
    server_ = std::move(*server);
    set_up(*server_);
    thread_ = std::thread([this] { loop(); });
  }
  ~Running() {
    stop_ = true;
    thread_.join();
  }

  std::unique_ptr<Client> client() const {
    auto client = Client::connect(endpoint_);
    REQUIRE(client);
    return std::move(*client);
  }
  std::size_t calls() const { return calls_; }
  const std::string& endpoint() const { return endpoint_; }

 private:
  void loop() {
    auto last = std::chrono::steady_clock::now();
    while (!stop_) {
      zmq_pollitem_t item{server_->socket(), 0, ZMQ_POLLIN, 0};
      zmq_poll(&item, 1, 20);
      server_->serve();
      if (std::chrono::steady_clock::now() - last > 50ms) {
        last = std::chrono::steady_clock::now();
        server_->tick();
      }
      calls_ = server_->running_calls();
    }
    server_.reset();
  }

  Scratch scratch_;
  std::string endpoint_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> calls_ = 0;
  std::thread thread_;
};

void echo(Server& server) {
  server.add_method("echo", [](const auto& call, const Json& params) { call->result(params); });
}

// Counts the bytes it gets, granting little by little.
void swallow(Server& server) {
  server.add_method("swallow", [](const std::shared_ptr<Call>& call, const Json&) {
    auto total = std::make_shared<std::uint64_t>(0);
    call->on_data = [call, total](const Payload& piece, bool end) {
      *total += piece.size();
      if (end) return call->result({{"total", *total}});
      call->grant(std::max<std::uint64_t>(piece.size(), kMessageCost));
    };
    call->grant(kDataMax);
  });
}

// Sends `count` events as credit allows.
void talk(Server& server) {
  server.add_method("talk", [](const std::shared_ptr<Call>& call, const Json& params) {
    auto next = std::make_shared<int>(0);
    const int count = params.value("count", 0);
    const auto pump = [call, next, count] {
      while (*next < count && call->event({{"n", *next}})) ++*next;
      if (*next == count) call->result({});
    };
    call->on_credit = pump;
    pump();
  });
}

bool eventually(const std::function<bool()>& holds) {
  const Deadline deadline = Deadline::in(5s);
  while (!deadline.passed()) {
    if (holds()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

}  // namespace

TEST_CASE("a call is answered") {
  const Running server(echo);
  const auto answer = server.client()->ask("echo", {{"x", 1}}, Deadline::in(5s));
  REQUIRE(answer);
  CHECK(answer->at("x") == 1);
}

TEST_CASE("an unknown method is a typed error") {
  const Running server(echo);
  const auto answer = server.client()->ask("nope", {}, Deadline::in(5s));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::invalid);
}

TEST_CASE("a server that is not there is unavailable at once") {
  const Scratch scratch;
  auto client = Client::connect("ipc://" + (scratch.path() / "nothing").string());
  REQUIRE(client);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = (*client)->ask("echo", {}, Deadline::in(10s));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unavailable);
  CHECK(std::chrono::steady_clock::now() - begin < 2s);
}

TEST_CASE("a server that dies in mid-call is noticed") {
  auto server = std::make_unique<Running>(
      [](Server& of) { of.add_method("wait", [](const auto&, const Json&) {}); });
  const auto client = server->client();
  client->call("wait", {});
  REQUIRE(eventually([&] { return server->calls() == 1; }));
  server.reset();
  const auto answer = client->next(Deadline::in(5s));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unavailable);
}

TEST_CASE("no answer in time") {
  const Running server([](Server& of) { of.add_method("wait", [](const auto&, const Json&) {}); });
  const auto answer = server.client()->ask("wait", {}, Deadline::in(100ms));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::timed_out);
}

TEST_CASE("a client that goes away takes its calls with it") {
  std::atomic<int> closed = 0;
  const Running server([&](Server& of) {
    of.add_method("wait", [&](const std::shared_ptr<Call>& call, const Json&) {
      call->on_closed = [&closed] { ++closed; };
    });
  });
  auto client = server.client();
  client->call("wait", {});
  REQUIRE(eventually([&] { return server.calls() == 1; }));
  client.reset();
  CHECK(eventually([&] { return closed == 1 && server.calls() == 0; }));
}

TEST_CASE("cancel ends a call") {
  std::atomic<int> closed = 0;
  const Running server([&](Server& of) {
    of.add_method("wait", [&](const std::shared_ptr<Call>& call, const Json&) {
      call->on_closed = [&closed] { ++closed; };
    });
  });
  const auto client = server.client();
  const CallId call = client->call("wait", {});
  client->cancel(call);
  CHECK(eventually([&] { return closed == 1 && server.calls() == 0; }));
}

TEST_CASE("a byte stream goes up under credit") {
  const Running server(swallow);
  const auto client = server.client();
  const CallId call = client->call("swallow", {});
  const std::vector<std::uint8_t> piece(64 * 1024, 7);
  std::uint64_t credit = 0;
  for (int i = 0; i < 100; ++i) {
    while (credit < piece.size()) {
      const auto incoming = client->next(Deadline::in(5s));
      REQUIRE(incoming);
      REQUIRE(incoming->header.type == Type::credit);
      credit += incoming->header.credit;
    }
    credit -= piece.size();
    client->data(call, piece, i == 99);
  }
  while (true) {
    const auto incoming = client->next(Deadline::in(5s));
    REQUIRE(incoming);
    if (incoming->header.type != Type::result) continue;
    CHECK(incoming->header.body.at("total") == 100 * piece.size());
    break;
  }
}

TEST_CASE("bytes without credit end the call") {
  const Running server([](Server& of) {
    of.add_method("once", [](const std::shared_ptr<Call>& call, const Json&) {
      call->on_data = [](const Payload&, bool) {};
      call->grant(kDataMax);
    });
  });
  const auto client = server.client();
  const CallId call = client->call("once", {});
  const std::vector<std::uint8_t> piece(kDataMax, 7);
  for (int i = 0; i < 4; ++i) client->data(call, piece, false);
  while (true) {
    const auto incoming = client->next(Deadline::in(5s));
    REQUIRE(incoming);
    if (incoming->header.type == Type::credit) continue;
    CHECK(incoming->header.type == Type::error);
    CHECK(incoming->header.error.code == ErrorCode::invalid);
    break;
  }
  CHECK(eventually([&] { return server.calls() == 0; }));
}

TEST_CASE("events come in order and never beyond the credit") {
  const Running server(talk);
  const auto client = server.client();
  const CallId call = client->call("talk", {{"count", 100}}, 10 * kMessageCost);
  for (int n = 0; n < 10; ++n) CHECK(client->next(Deadline::in(5s))->header.body.at("n") == n);
  CHECK(client->next(Deadline::in(200ms)).error().code == ErrorCode::timed_out);
  client->credit(call, 90 * kMessageCost);
  for (int n = 10; n < 100; ++n) CHECK(client->next(Deadline::in(5s))->header.body.at("n") == n);
  CHECK(client->next(Deadline::in(5s))->header.type == Type::result);
}

TEST_CASE("clients and their calls are bounded") {
  const Running server([](Server& of) { of.add_method("wait", [](const auto&, const Json&) {}); },
                       {.clients_max = 2, .calls_per_client_max = 3});
  const auto first = server.client();
  for (int i = 0; i < 3; ++i) first->call("wait", {});
  const auto fourth = first->ask("wait", {}, Deadline::in(5s));
  CHECK(fourth.error().code == ErrorCode::full);
  const auto second = server.client();
  second->call("wait", {});
  REQUIRE(eventually([&] { return server.calls() == 4; }));
  CHECK(server.client()->ask("wait", {}, Deadline::in(5s)).error().code == ErrorCode::full);
}

TEST_CASE("garbage is answered with a typed error and does no harm") {
  const Running server(echo);
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::rcvtimeo, 5000);
  socket.connect(server.endpoint());
  const auto answer_to = [&](std::vector<std::string> frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      socket.send(zmq::buffer(frames[i]),
                  i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
    zmq::message_t answer;
    REQUIRE(socket.recv(answer));
    CallId call = 0;
    const auto header = decode(answer.to_string_view(), call);
    REQUIRE(header);
    CHECK(header->type == Type::error);
    return header->error.code;
  };
  CHECK(answer_to({""}) == ErrorCode::invalid);
  CHECK(answer_to({"hello?"}) == ErrorCode::invalid);
  CHECK(answer_to({R"({"v":9,"type":"call","call":1})"}) == ErrorCode::incompatible);
  CHECK(answer_to({R"({"v":1,"type":"call","call":0,"method":"echo"})"}) == ErrorCode::invalid);
  CHECK(answer_to({"{}", "a", "b", "c"}) == ErrorCode::too_large);
  CHECK(answer_to({"{}", std::string(kDataMax + 1, 'x')}) == ErrorCode::too_large);
  CHECK(server.client()->ask("echo", {{"x", 2}}, Deadline::in(5s))->at("x") == 2);
}

TEST_CASE("a taken endpoint is a conflict") {
  const auto first = Server::open({"tcp://127.0.0.1:*"});
  REQUIRE(first);
  const auto second = Server::open({(*first)->endpoints().front()});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::conflict);
}
