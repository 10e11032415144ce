// Making ZeroMQ sockets the way this host wants them, and watching their connections.
#pragma once

#include <cstdint>
#include <optional>
#include <zmq.hpp>

#include "pastry/core/error.h"
#include "pastry/zmq/options.h"

namespace pastry::host {

// "… : strerror(number)" with a code that fits.
tl::unexpected<Error> socket_error(std::string_view what, int number);

// A socket with LINGER 0, IMMEDIATE 1, no reconnection (the host dials anew, with a hello), bounded
// queues and message size, handshake and heartbeat limits. Error: failed (no descriptors).
struct SocketRequest {
  zmq::socket_type type{};
  int high_water_mark = 1;
  std::size_t frame_max = 0;
  bool ipv6 = false;
};
Result<zmq::socket_t> make_socket(zmq::context_t& context, const SocketRequest& request,
                                  const TransportOptions& options);

// A context with `io_threads` threads and room for the sockets of peers_max peers; also raises the
// process's limit of descriptors to what the system allows.
zmq::context_t make_context(const TransportOptions& options);

// Reports what happens to a socket's connections. Must be closed before the socket.
class Monitor {
 public:
  enum class Kind : std::uint8_t { accepted, up, down };
  struct Event {
    Kind kind{};
    int fd = -1;  // for accepted and down
  };

  static Result<Monitor> attach(zmq::context_t& context, zmq::socket_t& socket);
  Monitor(Monitor&&) noexcept = default;
  Monitor& operator=(Monitor&&) noexcept = default;

  // The next event, without waiting.
  std::optional<Event> next();
  // Has news whenever next() has something new to tell.
  zmq::socket_t& socket() { return pair_; }
  // Ends the reports; `socket` is the one attached to.
  void detach(zmq::socket_t& socket);

 private:
  explicit Monitor(zmq::socket_t pair) : pair_(std::move(pair)) {}
  zmq::socket_t pair_;
};

// Whether `fd` still is a connection of the listener on `port`.
bool is_connection_of(int fd, std::uint16_t port);

// Bytes that the kernel has received on a TCP connection.
std::uint64_t bytes_received(int fd);

}  // namespace pastry::host
