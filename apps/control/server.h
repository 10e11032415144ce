// The serving side of the control protocol: a ROUTER socket, calls and their credit.
//
// Loop-agnostic: whoever owns the server calls serve() when the socket is readable and tick() about
// once a second. One thread. Everything is bounded: clients, calls per client, bytes in either
// direction per call (credit), messages handled per serve().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "apps/control/protocol.h"
#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::control {

class Server;

// One running call as its handler sees it. Kept by the handler for as long as it likes; when the
// client is gone, cancelled, or the call answered, open() is false and all else does nothing.
class Call : public std::enable_shared_from_this<Call> {
 public:
  bool open() const { return server_ != nullptr; }

  // Ends the call.
  void result(Json result);
  void error(Error error);

  // Sends an event (with bytes) or a piece of the byte stream (at most kDataMax), if the client's
  // credit allows; false: try again when on_credit is called, nothing was sent.
  bool event(Json event, const Payload& data = {});
  bool data(const Payload& piece, bool end);
  // Bytes that may be sent now; a message costs its data, at least kMessageCost.
  std::uint64_t credit() const { return credit_; }

  // Allows the client to send `bytes` more; pieces then arrive at on_data.
  void grant(std::uint64_t bytes);

  // Set by the handler at the start; all optional.
  std::function<void(Payload piece, bool end)> on_data;
  std::function<void()> on_credit;
  std::function<void()> on_closed;  // client gone or call cancelled; not after result() or error()

 private:
  friend class Server;
  void close();

  Server* server_ = nullptr;
  std::string client_;
  CallId id_ = 0;
  std::uint64_t credit_ = 0;   // what we may send
  std::uint64_t granted_ = 0;  // what the client may send
  bool ended_ = false;         // the client's byte stream ended
};

class Server {
 public:
  struct Limits {
    std::size_t clients_max = 256;
    std::size_t calls_per_client_max = 64;
    std::size_t messages_per_serve = 256;
  };
  // Starts a call: sets the call's functions and answers now or later.
  using Method = std::function<void(const std::shared_ptr<Call>& call, const Json& params)>;

  // Binds every endpoint ("ipc://PATH", "tcp://127.0.0.1:PORT"). Errors: invalid, conflict (taken).
  static Result<std::unique_ptr<Server>> open(const std::vector<std::string>& endpoints);
  static Result<std::unique_ptr<Server>> open(const std::vector<std::string>& endpoints,
                                              const Limits& limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void add_method(const std::string& name, Method method);

  void* socket() { return socket_.handle(); }
  int descriptor() const { return socket_.get(zmq::sockopt::fd); }
  // With the actual port of "tcp://…:0" endpoints.
  const std::vector<std::string>& endpoints() const { return endpoints_; }

  // Handles what has arrived, up to the limit; true if there may be more.
  bool serve();
  // Pings clients with running calls, which finds those that are gone.
  void tick();
  // Answers all running calls with this error.
  void close_calls(const Error& error);
  std::size_t running_calls() const;

 private:
  friend class Call;
  using Calls = std::map<CallId, std::shared_ptr<Call>>;

  Server(zmq::context_t context, zmq::socket_t socket, const Limits& limits);

  enum class Sent : unsigned char { yes, full, gone };
  Sent send(const std::string& client, const Header& header, const Payload* data = nullptr);
  void handle(const std::string& client, std::string_view text, Payload data, bool has_data);
  void start(const std::string& client, const Header& header);
  void continue_call(const std::string& client, const Header& header, Payload data, bool has_data);
  void refuse(const std::string& client, CallId call, const Error& error);
  void finish(Call& call);
  void drop_client(const std::string& client);
  std::shared_ptr<Call> find(const std::string& client, CallId call) const;

  zmq::context_t context_;
  zmq::socket_t socket_;
  Limits limits_;
  std::vector<std::string> endpoints_;
  std::map<std::string, Method> methods_;
  std::map<std::string, Calls> clients_;  // with running calls
};

}  // namespace pastry::control
