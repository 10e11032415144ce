#include "apps/control/client.h"

#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace pastry::control {
namespace {

// A server with a running call pings every second; silence this long means that it hangs.
constexpr std::chrono::seconds kSilenceMax{10};
constexpr std::int64_t kFrameMax = 4 << 20;
constexpr const char* kMonitorEndpoint = "inproc://monitor";

}  // namespace

Client::Client(zmq::context_t context, zmq::socket_t socket, zmq::socket_t monitor,
               std::string endpoint)
    : context_(std::move(context)),
      socket_(std::move(socket)),
      monitor_(std::move(monitor)),
      endpoint_(std::move(endpoint)) {}

Client::~Client() { zmq_socket_monitor(socket_.handle(), nullptr, 0); }

Result<std::unique_ptr<Client>> Client::connect(const std::string& endpoint) {
  try {
    zmq::context_t context(1);
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::ipv6, true);
    socket.set(zmq::sockopt::maxmsgsize, kFrameMax);
    // Everything that we may send is bounded by credit; what may come as well.
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, 0);
    const int events = ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(socket.handle(), kMonitorEndpoint, events) != 0) throw zmq::error_t();
    zmq::socket_t monitor(context, zmq::socket_type::pair);
    monitor.set(zmq::sockopt::linger, 0);
    monitor.connect(kMonitorEndpoint);
    socket.connect(endpoint);
    return std::unique_ptr<Client>(
        new Client(std::move(context), std::move(socket), std::move(monitor), endpoint));
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::invalid, "cannot connect to '" + endpoint + "': " + error.what());
  }
}

CallId Client::call(const std::string& method, const Json& params, std::uint64_t credit) {
  Header header;
  header.type = Type::call;
  header.call = ++last_call_;
  header.method = method;
  header.body = params;
  header.credit = credit;
  send(header, nullptr);
  return last_call_;
}

void Client::data(CallId call, ByteView piece, bool end) {
  Header header;
  header.type = Type::data;
  header.call = call;
  header.end = end;
  send(header, &piece);
}

void Client::credit(CallId call, std::uint64_t bytes) {
  Header header;
  header.type = Type::credit;
  header.call = call;
  header.credit = bytes;
  send(header, nullptr);
}

void Client::cancel(CallId call) {
  Header header;
  header.type = Type::cancel;
  header.call = call;
  send(header, nullptr);
}

void Client::send(const Header& header, const ByteView* data) {
  zmq::message_t text(encode(header));
  if (data == nullptr) {
    socket_.send(text, zmq::send_flags::none);
    return;
  }
  socket_.send(text, zmq::send_flags::sndmore);
  socket_.send(zmq::message_t(data->data(), data->size()), zmq::send_flags::none);
}

Result<bool> Client::receive(Incoming& incoming) {
  zmq::message_t text;
  if (!socket_.recv(text, zmq::recv_flags::dontwait)) return false;
  incoming.data = {};
  if (socket_.get(zmq::sockopt::rcvmore)) {
    auto frame = std::make_shared<zmq::message_t>();
    (void)socket_.recv(*frame, zmq::recv_flags::dontwait);
    const ByteView view(frame->data<std::uint8_t>(), frame->size());
    incoming.data = Payload(std::move(frame), view);
  }
  while (socket_.get(zmq::sockopt::rcvmore)) (void)socket_.recv(text, zmq::recv_flags::dontwait);
  CallId call = 0;
  Result<Header> header = decode(text.to_string_view(), call);
  if (!header) return tl::unexpected<Error>(header.error());
  incoming.header = std::move(*header);
  return true;
}

bool Client::disconnected() {
  zmq::message_t event;
  while (monitor_.recv(event, zmq::recv_flags::dontwait)) {
    gone_ = true;
    zmq::message_t address;
    (void)monitor_.recv(address, zmq::recv_flags::dontwait);
  }
  return gone_;
}

Result<Client::Incoming> Client::next(const Deadline& deadline) {
  Deadline silence = Deadline::in(kSilenceMax);
  while (true) {
    Incoming incoming;
    const bool gone = disconnected();  // before the look at the queue: nothing comes afterwards
    const Result<bool> received = receive(incoming);
    if (!received) return tl::unexpected<Error>(received.error());
    if (*received && incoming.header.type != Type::ping) return incoming;
    if (*received) {
      silence = Deadline::in(kSilenceMax);
      continue;
    }
    if (gone) return fail(ErrorCode::unavailable, "no node answers at " + endpoint_);
    if (deadline.passed()) return fail(ErrorCode::timed_out, "timed out");
    if (silence.passed()) {
      return fail(ErrorCode::unavailable, "the node at " + endpoint_ + " does not respond");
    }
    constexpr int kPollMs = 1000;
    std::array<zmq_pollitem_t, 2> items{
        {{socket_.handle(), 0, ZMQ_POLLIN, 0}, {monitor_.handle(), 0, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), deadline.wait_ms(kPollMs));
  }
}

Result<Json> Client::ask(const std::string& method, const Json& params, const Deadline& deadline) {
  const CallId id = call(method, params);
  while (true) {
    Result<Incoming> incoming = next(deadline);
    if (!incoming) {
      if (incoming.error().code == ErrorCode::timed_out) cancel(id);
      return tl::unexpected<Error>(incoming.error());
    }
    if (incoming->header.call != id && incoming->header.call != 0) continue;
    if (incoming->header.type == Type::result) return std::move(incoming->header.body);
    if (incoming->header.type == Type::error) {
      return tl::unexpected<Error>(incoming->header.error);
    }
  }
}

}  // namespace pastry::control
