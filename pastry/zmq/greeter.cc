#include "pastry/zmq/greeter.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace pastry::host {
namespace {

ErrorCode code_of(wire::HelloRefusal reason) {
  switch (reason) {
    case wire::HelloRefusal::wrong_overlay:
      return ErrorCode::invalid;
    case wire::HelloRefusal::other_parameters:
      return ErrorCode::conflict;
    case wire::HelloRefusal::incompatible_version:
    case wire::HelloRefusal::malformed:
      return ErrorCode::incompatible;
    case wire::HelloRefusal::full:
      return ErrorCode::full;
    case wire::HelloRefusal::stopping:
      return ErrorCode::unavailable;
    case wire::HelloRefusal::not_loopback:
    case wire::HelloRefusal::unverified:
      break;
  }
  return ErrorCode::refused;
}

Result<wire::HelloAccepted> read_reply(const wire::Hello& hello, const Endpoint& to,
                                       ByteView frame) {
  auto reply = wire::decode_hello_reply(frame);
  if (!reply) return tl::unexpected<Error>(std::move(reply.error()));
  if (auto* refused = std::get_if<wire::HelloRefused>(&*reply)) {
    if (refused->echo != hello.challenge && refused->reason != wire::HelloRefusal::malformed &&
        refused->reason != wire::HelloRefusal::incompatible_version)
      return fail(ErrorCode::corrupt, to.text() + " answered another hello");
    return fail(code_of(refused->reason),
                to.text() + " refused: " + std::string(wire::name(refused->reason)) +
                    (refused->detail.empty() ? "" : ", " + refused->detail));
  }
  auto& accepted = std::get<wire::HelloAccepted>(*reply);
  if (accepted.echo != hello.challenge)
    return fail(ErrorCode::corrupt, to.text() + " answered another hello");
  if (accepted.version < hello.versions.min || accepted.version > hello.versions.max)
    return fail(ErrorCode::incompatible, to.text() + " chose a protocol version not offered");
  return std::move(accepted);
}

}  // namespace

void fill_random(std::span<std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // a Linux without getrandom is not supported
    }
    done += static_cast<std::size_t>(got);
  }
}

Greeter::~Greeter() {
  for (Greeting& greeting : open_) close(greeting);
}

void Greeter::greet(const Endpoint& to, const wire::Hello& hello, Time now, Done done) {
  Greeting greeting{to, hello, std::move(done), {}, std::nullopt, std::nullopt, true};
  fill_random(greeting.hello.challenge);
  if (open_.size() < kConcurrent) {
    start(std::move(greeting), now);
  } else if (waiting_.size() < options_.peers_max) {
    waiting_.push_back(std::move(greeting));
  } else {
    greeting.done(fail(ErrorCode::full, "too many processes are being greeted already"));
  }
}

void Greeter::start(Greeting greeting, Time now) {
  greeting.deadline = now + options_.handshake_timeout;
  open_.push_back(std::move(greeting));
  auto dialled = dial(open_.back());
  if (dialled) return;
  close(open_.back());
  const Greeting failed = std::move(open_.back());
  open_.pop_back();
  failed.done(
      fail(ErrorCode::failed, "cannot greet " + failed.to.text() + ": " + dialled.error().message));
}

Result<void> Greeter::dial(Greeting& greeting) {
  const Endpoint dialled = greeting.to.dialled();
  const SocketRequest request{zmq::socket_type::dealer, 2, wire::kHelloBytesMax,
                              dialled.needs_ipv6()};
  auto bytes = wire::encode(greeting.hello);
  if (!bytes) return tl::unexpected<Error>(std::move(bytes.error()));
  auto socket = make_socket(context_, request, options_);
  if (!socket) return tl::unexpected<Error>(std::move(socket.error()));
  greeting.socket = std::move(*socket);
  auto monitor = Monitor::attach(context_, *greeting.socket);
  if (!monitor) return tl::unexpected<Error>(std::move(monitor.error()));
  greeting.monitor = std::move(*monitor);
  for (zmq::socket_t* watched : {&*greeting.socket, &greeting.monitor->socket()})
    if (auto added = readiness_.add(*watched, &greeting); !added) return added;
  if (zmq_connect(greeting.socket->handle(), dialled.text().c_str()) != 0 ||
      zmq_send(greeting.socket->handle(), bytes->data(), bytes->size(), ZMQ_DONTWAIT) < 0)
    return fail(ErrorCode::failed, zmq_strerror(zmq_errno()));
  return {};
}

void Greeter::close(Greeting& greeting) {
  if (greeting.monitor) {
    readiness_.remove(greeting.monitor->socket());
    greeting.monitor->detach(*greeting.socket);
  }
  if (greeting.socket) readiness_.remove(*greeting.socket);
  greeting.monitor.reset();
  greeting.socket.reset();
}

std::optional<Result<wire::HelloAccepted>> Greeter::read(Greeting& greeting) {
  zmq::message_t frame;
  if (zmq_msg_recv(frame.handle(), greeting.socket->handle(), ZMQ_DONTWAIT) >= 0) {
    if (frame.more())
      return fail(ErrorCode::corrupt, greeting.to.text() + " answered with several frames");
    return read_reply(greeting.hello, greeting.to,
                      ByteView(static_cast<const std::uint8_t*>(frame.data()), frame.size()));
  }
  bool down = false;
  while (const auto event = greeting.monitor->next())
    down = down || event->kind == Monitor::Kind::down;
  if (down)
    return fail(ErrorCode::unavailable, "no pastry process reachable at " + greeting.to.text() +
                                            " (connection refused or closed)");
  return std::nullopt;
}

// Only what was read once has its news told.
bool Greeter::has_unseen() const {
  return std::any_of(open_.begin(), open_.end(),
                     [](const Greeting& greeting) { return greeting.fresh; });
}

void Greeter::work(Time now) {
  if (!busy()) return;
  const std::vector<void*> told = readiness_.take();
  for (auto it = open_.begin(); it != open_.end();) {
    const bool news =
        std::exchange(it->fresh, false) || std::find(told.begin(), told.end(), &*it) != told.end();
    auto outcome = news ? read(*it) : std::nullopt;
    if (!outcome && now >= it->deadline)
      outcome = fail(ErrorCode::timed_out, "no answer from " + it->to.text());
    if (!outcome) {
      ++it;
      continue;
    }
    close(*it);
    Done done = std::move(it->done);
    it = open_.erase(it);
    done(std::move(*outcome));
  }
  while (!waiting_.empty() && open_.size() < kConcurrent) {
    Greeting next = std::move(waiting_.front());
    waiting_.pop_front();
    start(std::move(next), now);
  }
}

}  // namespace pastry::host
