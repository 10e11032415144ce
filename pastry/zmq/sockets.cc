#include "pastry/zmq/sockets.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

namespace pastry::host {
namespace {

// Two outgoing sockets per peer, each with the two ends of its monitor, and what the host has.
constexpr std::size_t kSocketsPerPeer = 6;
constexpr std::size_t kSocketsBeside = 256;
constexpr int kMonitorBacklog = 20000;
constexpr int kListenBacklog = 1024;

int milliseconds_of(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<milliseconds>(duration).count());
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

tl::unexpected<Error> socket_error(std::string_view what, int number) {
  const ErrorCode code = number == EADDRINUSE ? ErrorCode::conflict : ErrorCode::failed;
  return fail(code, std::string(what) + ": " + zmq_strerror(number));
}

zmq::context_t make_context(const TransportOptions& options) {
  raise_descriptor_limit();
  zmq::context_t context(options.io_threads);
  const int limit = context.get(zmq::ctxopt::socket_limit);
  const std::size_t wanted = options.peers_max * kSocketsPerPeer + kSocketsBeside;
  context.set(zmq::ctxopt::max_sockets,
              static_cast<int>(std::min<std::size_t>(wanted, static_cast<std::size_t>(limit))));
  return context;
}

Result<zmq::socket_t> make_socket(zmq::context_t& context, const SocketRequest& request,
                                  const TransportOptions& options) {
  try {
    zmq::socket_t socket(context, request.type);
    socket.set(zmq::sockopt::linger, 0);
    // A hello is sent before its connection is up; data never is.
    socket.set(zmq::sockopt::immediate, request.type != zmq::socket_type::dealer);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::sndhwm, request.high_water_mark);
    socket.set(zmq::sockopt::rcvhwm, request.high_water_mark);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(request.frame_max));
    socket.set(zmq::sockopt::handshake_ivl, milliseconds_of(options.handshake_timeout));
    socket.set(zmq::sockopt::heartbeat_ivl, milliseconds_of(options.heartbeat_period));
    socket.set(zmq::sockopt::heartbeat_timeout, milliseconds_of(options.heartbeat_timeout));
    socket.set(zmq::sockopt::backlog, kListenBacklog);
    socket.set(zmq::sockopt::ipv6, request.ipv6);
    return socket;
  } catch (const zmq::error_t& error) {
    return socket_error("cannot make a socket", error.num());
  }
}

Result<Monitor> Monitor::attach(zmq::context_t& context, zmq::socket_t& socket) {
  static std::atomic<std::uint64_t> counter{0};
  const std::string name = "inproc://monitor-" + std::to_string(++counter);
  constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                          ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                          ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                          ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  if (zmq_socket_monitor(socket.handle(), name.c_str(), kEvents) != 0)
    return socket_error("cannot watch a socket", zmq_errno());
  try {
    zmq::socket_t pair(context, zmq::socket_type::pair);
    pair.set(zmq::sockopt::linger, 0);
    pair.set(zmq::sockopt::rcvhwm, kMonitorBacklog);
    pair.connect(name);
    return Monitor(std::move(pair));
  } catch (const zmq::error_t& error) {
    zmq_socket_monitor(socket.handle(), nullptr, 0);
    return socket_error("cannot watch a socket", error.num());
  }
}

void Monitor::detach(zmq::socket_t& socket) {
  zmq_socket_monitor(socket.handle(), nullptr, 0);
  pair_.close();
}

std::optional<Monitor::Event> Monitor::next() {
  for (;;) {
    zmq::message_t frame;
    if (zmq_msg_recv(frame.handle(), pair_.handle(), ZMQ_DONTWAIT) < 0) return std::nullopt;
    std::uint16_t event = 0;
    std::int32_t value = 0;
    if (frame.size() >= sizeof event + sizeof value) {
      std::memcpy(&event, frame.data(), sizeof event);
      std::memcpy(&value, static_cast<const char*>(frame.data()) + sizeof event, sizeof value);
    }
    while (frame.more())
      if (zmq_msg_recv(frame.handle(), pair_.handle(), ZMQ_DONTWAIT) < 0) break;
    switch (event) {
      case ZMQ_EVENT_ACCEPTED:
        return Event{Kind::accepted, value};
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return Event{Kind::up, -1};
      case ZMQ_EVENT_DISCONNECTED:
      case ZMQ_EVENT_CLOSED:
        return Event{Kind::down, value};
      default:
        break;  // failed handshakes are followed by DISCONNECTED
    }
  }
}

bool is_connection_of(int fd, std::uint16_t port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port) == port;
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port) == port;
  return false;
}

std::uint64_t bytes_received(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return info.tcpi_bytes_received;
}

}  // namespace pastry::host
