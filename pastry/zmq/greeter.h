// Says Hello to other processes' admission sockets and brings back what they answer.
//
// One DEALER per process greeted, open only until the answer, the refusal of the connection, or the
// timeout. At most kConcurrent at a time; others wait their turn, at most queue_max.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "pastry/core/error.h"
#include "pastry/wire/hello.h"
#include "pastry/zmq/endpoint.h"
#include "pastry/zmq/readiness.h"
#include "pastry/zmq/sockets.h"

namespace pastry::host {

class Greeter {
 public:
  // The answer of an admitted greeting; or refused, incompatible, full (the other side said why),
  // unavailable (nobody answers there), timed_out.
  using Done = std::function<void(Result<wire::HelloAccepted>)>;

  Greeter(zmq::context_t& context, const TransportOptions& options, Readiness readiness)
      : context_(context), options_(options), readiness_(std::move(readiness)) {}
  ~Greeter();
  Greeter(const Greeter&) = delete;
  Greeter& operator=(const Greeter&) = delete;

  // `hello` is sent to the admission socket at `to` with a fresh challenge. `done` is called from a
  // later work(); at once with ErrorCode::full if too many wait.
  void greet(const Endpoint& to, const wire::Hello& hello, Time now, Done done);

  // Looks for answers and timeouts, starts what waits.
  void work(Time now);
  bool busy() const { return !open_.empty() || !waiting_.empty(); }

  // Readable when work() has something to do, but for greetings that it has not seen yet.
  int descriptor() const { return readiness_.descriptor(); }
  bool has_unseen() const;

 private:
  static constexpr std::size_t kConcurrent = 32;

  struct Greeting {
    Endpoint to;
    wire::Hello hello;
    Done done;
    Time deadline{};
    std::optional<zmq::socket_t> socket;
    std::optional<Monitor> monitor;
    bool fresh = true;  // not looked at yet
  };

  void start(Greeting greeting, Time now);
  Result<void> dial(Greeting& greeting);
  std::optional<Result<wire::HelloAccepted>> read(Greeting& greeting);
  void close(Greeting& greeting);

  zmq::context_t& context_;
  const TransportOptions& options_;
  Readiness readiness_;
  std::list<Greeting> open_;  // their addresses are the tags
  std::deque<Greeting> waiting_;
};

// For hellos, tokens and process keys.
void fill_random(std::span<std::uint8_t> bytes);

}  // namespace pastry::host
