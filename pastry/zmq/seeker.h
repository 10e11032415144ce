// Finds out who lives behind the endpoints through which a node is to join.
//
// A node joins through handles; a user gives endpoints, and persisted peers may meanwhile have
// other incarnations and keys. So the processes there are greeted, in rounds with back-off until
// the node is active, and the nodes that they name become seeds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pastry/core/random.h"
#include "pastry/wire/hello.h"
#include "pastry/zmq/endpoint.h"
#include "pastry/zmq/transport.h"

namespace pastry::host {

class Seeker {
 public:
  // `accepted` is called with each welcome, `failed` once for each round without any. Its code is
  // conflict if any endpoint is of this overlay, with other parameters; invalid or incompatible
  // only if every endpoint refused, which no repetition would change; as long as one may yet answer
  // otherwise it is that one's, and the message names both.
  struct Hooks {
    std::function<void(const wire::HelloAccepted&)> accepted;
    std::function<void(const Error& error)> failed;
  };

  Seeker(Transport& transport, std::vector<Endpoint> endpoints, Duration retry_min,
         Duration retry_max, std::uint64_t seed, Hooks hooks);
  ~Seeker();
  Seeker(const Seeker&) = delete;
  Seeker& operator=(const Seeker&) = delete;

  void advance(Time now);
  Time deadline() const { return next_round_; }

 private:
  struct Round;

  Transport& transport_;
  std::vector<Endpoint> endpoints_;
  Duration pause_;
  Duration retry_max_;
  Random random_;
  std::shared_ptr<Hooks> hooks_;  // answers that come after this object is gone find it empty
  Time next_round_ = Time::min();
};

}  // namespace pastry::host
