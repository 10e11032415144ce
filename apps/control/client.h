// The calling side of the control protocol, blocking: what every command uses. One thread.
#pragma once

#include <memory>
#include <string>
#include <zmq.hpp>

#include "apps/control/deadline.h"
#include "apps/control/protocol.h"
#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::control {

class Client {
 public:
  // Does not wait; that nobody listens shows at the first next().
  static Result<std::unique_ptr<Client>> connect(const std::string& endpoint);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Starts a call; `credit`: bytes of events and data that may come.
  CallId call(const std::string& method, const Json& params, std::uint64_t credit = 0);
  void data(CallId call, ByteView piece, bool end);
  void credit(CallId call, std::uint64_t bytes);
  void cancel(CallId call);

  // What came for any call: never a ping.
  struct Incoming {
    Header header;
    Payload data;
  };
  // Waits for the next message. Errors: timed_out, unavailable (nobody listens, or the process died
  // or is silent).
  Result<Incoming> next(const Deadline& deadline);

  // One call with one answer.
  Result<Json> ask(const std::string& method, const Json& params, const Deadline& deadline);

  const std::string& endpoint() const { return endpoint_; }

 private:
  Client(zmq::context_t context, zmq::socket_t socket, zmq::socket_t monitor, std::string endpoint);

  void send(const Header& header, const ByteView* data);
  Result<bool> receive(Incoming& incoming);
  bool disconnected();

  zmq::context_t context_;
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  std::string endpoint_;
  CallId last_call_ = 0;
  bool gone_ = false;
};

}  // namespace pastry::control
