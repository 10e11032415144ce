// The three listening sockets of a process on consecutive ports.
#pragma once

#include <array>

#include "pastry/zmq/doorkeeper.h"
#include "pastry/zmq/endpoint.h"
#include "pastry/zmq/options.h"
#include "pastry/zmq/sockets.h"

namespace pastry::host {

inline constexpr std::array kChannels{Channel::admission, Channel::data, Channel::bulk};

struct Listener {
  zmq::socket_t socket;
  Doorkeeper doorkeeper;
  // Whether there may be something to read.
  bool frames_pending = true;
  bool connections_pending = true;
};

struct Listeners {
  Endpoint endpoint;  // with the actual admission port
  Listener admission;
  Listener data;
  Listener bulk;

  Listener& at(Channel channel) {
    return channel == Channel::admission ? admission : channel == Channel::data ? data : bulk;
  }

  // Binds `wanted` and the two ports after it; with port 0 searches for three free ones. Errors:
  // conflict (taken), invalid (no such address), failed.
  static Result<Listeners> open(zmq::context_t& context, const Endpoint& wanted,
                                const TransportOptions& options);
  void close();
};

}  // namespace pastry::host
