// Endpoints "tcp://HOST:PORT": reading them and what may be derived from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pastry/core/error.h"

namespace pastry::host {

// A process listens on three consecutive ports.
enum class Channel : std::uint8_t { admission = 0, data = 1, bulk = 2 };

struct Endpoint {
  std::string host;  // without brackets: 127.0.0.1, ::1, localhost
  std::uint16_t port = 0;

  // "tcp://HOST:PORT"; IPv6 addresses in brackets; PORT a number or "*" (0). Error: invalid.
  static Result<Endpoint> parse(std::string_view text);

  std::string text() const;
  // The endpoint of another of the process's sockets; port() must be an admission port.
  std::string text(Channel channel) const;

  // An IPv4 or IPv6 address of the loopback interface, or the name localhost. No other name is
  // looked up: what it stands for could change after it was checked.
  bool loopback() const;

  // The same with a numeric host, as sockets that listen need it. Looks names up (blocking).
  // Error: invalid (no such name).
  Result<Endpoint> resolved() const;
  // The same for sockets that connect: a name that cannot be resolved is left to ZeroMQ, which goes
  // on trying. Looks names up (blocking).
  Endpoint dialled() const;
  // Whether ZeroMQ's sockets must be told to use IPv6 for this host. Looks names up (blocking).
  bool needs_ipv6() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Error: invalid unless the endpoint is on the loopback interface; `what` names it in the message.
Result<void> require_loopback(const Endpoint& endpoint, std::string_view what);

}  // namespace pastry::host
