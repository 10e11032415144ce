// One remote process as this one sends to it: its queue, its greeting, its two connections.
//
//   idle --send--> greeting --welcome--> connected --disconnect--> idle
//                     | no answer, refused            (hint to the nodes)
//                     v
//                  resting --time--> idle
//
// While greeting, messages wait in the queue; while resting they are dropped, which to a node is
// the same as loss. A connection belongs to one greeting: ZeroMQ never reconnects by itself.
#pragma once

#include <optional>

#include "pastry/core/directory.h"
#include "pastry/zmq/endpoint.h"
#include "pastry/zmq/frame.h"
#include "pastry/zmq/readiness.h"
#include "pastry/zmq/send_queue.h"
#include "pastry/zmq/sockets.h"

namespace pastry::host {

// A PUSH socket connected to one of the remote process's two PULL sockets.
class Connection {
 public:
  // `readiness` reports `tag` when there is news about the connection for read(); it must outlive
  // the connection.
  static Result<Connection> open(zmq::context_t& context, const std::string& to, bool ipv6,
                                 int high_water_mark, const TransportOptions& options,
                                 Readiness& readiness, void* tag, Time now);

  enum class Sent : std::uint8_t { yes, blocked, broken };
  // Hands the batch to ZeroMQ; only with `yes` are its frame and payload gone.
  Sent send(Batch& batch, SessionToken token);

  // Takes note of what happened to the connection.
  void read();
  // False: it is gone, or was not made in time.
  bool works(Time now, Duration handshake_timeout) const {
    return !down_ && (up_ || now - opened_ <= handshake_timeout);
  }
  bool up() const { return up_; }
  Time opened() const { return opened_; }

  void close(Duration linger);

 private:
  Connection(zmq::socket_t socket, Monitor monitor, Readiness& readiness, Time opened)
      : socket_(std::move(socket)),
        monitor_(std::move(monitor)),
        readiness_(&readiness),
        opened_(opened) {}

  zmq::socket_t socket_;
  Monitor monitor_;
  Readiness* readiness_;
  Time opened_;
  bool up_ = false;
  bool down_ = false;
};

struct Peer {
  enum class State : std::uint8_t { idle, greeting, connected, resting };

  Peer(HostInfo info, std::size_t bytes_max) : host(std::move(info)), queue(bytes_max) {}

  HostInfo host;
  SendQueue queue;
  State state = State::idle;
  std::size_t address = 0;  // index of the one in use
  SessionToken token = 0;
  std::optional<Connection> data;
  std::optional<Connection> bulk;

  Time last_used{};
  Time last_bulk{};
  Time resting_until{};
  Duration rest{};      // of the last rest; zero after a success
  bool queued = false;  // in the transport's list of peers to flush
  Time retry_at{};      // blocked: when to try again
  Duration retry_pause{};
};

}  // namespace pastry::host
