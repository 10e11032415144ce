#include "pastry/zmq/peer.h"

#include <memory>

namespace pastry::host {
namespace {

// Up to this size ZeroMQ gets a copy and the buffer is used again.
constexpr std::size_t kCopyMax = 2048;

void free_bytes(void*, void* hint) { delete static_cast<Bytes*>(hint); }
void free_payload(void*, void* hint) { delete static_cast<Payload*>(hint); }

zmq::message_t payload_message(Payload payload) {
  auto owner = std::make_unique<Payload>(std::move(payload));
  // ZeroMQ only reads the bytes, its interface just does not say so.
  auto* data = const_cast<std::uint8_t*>(owner->view().data());
  const std::size_t size = owner->size();
  return zmq::message_t(data, size, free_payload, owner.release());
}

}  // namespace

Result<Connection> Connection::open(zmq::context_t& context, const std::string& to, bool ipv6,
                                    int high_water_mark, const TransportOptions& options,
                                    Readiness& readiness, void* tag, Time now) {
  const SocketRequest request{zmq::socket_type::push, high_water_mark, options.frame_max, ipv6};
  auto socket = make_socket(context, request, options);
  if (!socket) return tl::unexpected<Error>(std::move(socket.error()));
  auto monitor = Monitor::attach(context, *socket);
  if (!monitor) return tl::unexpected<Error>(std::move(monitor.error()));
  if (auto added = readiness.add(monitor->socket(), tag); !added) {
    monitor->detach(*socket);
    return tl::unexpected<Error>(std::move(added.error()));
  }
  Connection connection(std::move(*socket), std::move(*monitor), readiness, now);
  if (zmq_connect(connection.socket_.handle(), to.c_str()) != 0) {
    const int number = zmq_errno();
    connection.close({});
    return socket_error("cannot connect to " + to, number);
  }
  connection.read();
  return connection;
}

Connection::Sent Connection::send(Batch& batch, SessionToken token) {
  store_u64(batch.frame.data(), token);
  const bool detached = !batch.payload.empty();
  const int flags = ZMQ_DONTWAIT | (detached ? ZMQ_SNDMORE : 0);
  if (batch.frame.size() <= kCopyMax) {
    if (zmq_send(socket_.handle(), batch.frame.data(), batch.frame.size(), flags) < 0)
      return zmq_errno() == EAGAIN ? Sent::blocked : Sent::broken;
  } else {
    auto* owner = new Bytes(std::move(batch.frame));
    zmq::message_t message(owner->data(), owner->size(), free_bytes, owner);
    if (zmq_msg_send(message.handle(), socket_.handle(), flags) < 0) {
      batch.frame = std::move(*owner);
      return zmq_errno() == EAGAIN ? Sent::blocked : Sent::broken;
    }
  }
  if (!detached) return Sent::yes;
  // Once the first frame is in, ZeroMQ takes the rest of the message.
  zmq::message_t message = payload_message(std::move(batch.payload));
  return zmq_msg_send(message.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0 ? Sent::broken
                                                                            : Sent::yes;
}

void Connection::read() {
  while (const auto event = monitor_.next()) {
    if (event->kind == Monitor::Kind::up) up_ = true;
    if (event->kind == Monitor::Kind::down) down_ = true;
  }
}

void Connection::close(Duration linger) {
  const auto whole = std::chrono::duration_cast<milliseconds>(linger).count();
  readiness_->remove(monitor_.socket());
  monitor_.detach(socket_);
  if (whole > 0 && up_) socket_.set(zmq::sockopt::linger, static_cast<int>(whole));
  socket_.close();
}

}  // namespace pastry::host
