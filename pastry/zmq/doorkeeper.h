// Keeps strangers from filling a listening socket's descriptors and memory.
//
// ZeroMQ closes connections that do not finish their handshake, but bounds neither how many there
// are, nor how long a silent one stays, nor what a message of endless parts collects. The
// doorkeeper knows the connections of one listening socket from its monitor, and shuts down those
// that have not proved to belong to an admitted process when they are too many, too old, or have
// sent too much. An honest peer that is hit dials again.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "pastry/core/timestamp.h"
#include "pastry/zmq/sockets.h"

namespace pastry::host {

class Doorkeeper {
 public:
  struct Limits {
    std::size_t unproven_max = 512;
    std::uint64_t bytes_max = 0;  // that an unproven connection may send
    Duration age_max{};           // of an unproven connection; zero: no limit
  };

  Doorkeeper(Monitor monitor, std::uint16_t port, const Limits& limits)
      : monitor_(std::move(monitor)), port_(port), limits_(limits) {}

  // Takes note of connections made and gone. Call before reading from the socket.
  void observe(Time now);
  // Shuts down what is over a limit; call on a tick. Returns how many.
  std::size_t sweep(Time now);

  // Whether proof() would tell anything new.
  bool has_unproven() const { return !unproven_.empty(); }
  // A message of an admitted process came over this connection.
  void proof(int fd) { unproven_.erase(fd); }
  // Something that no honest peer sends came over this connection.
  void expel(int fd);

  // Has news whenever observe() has something to note.
  zmq::socket_t& socket() { return monitor_.socket(); }
  void detach(zmq::socket_t& socket) { monitor_.detach(socket); }

 private:
  Monitor monitor_;
  std::uint16_t port_;
  Limits limits_;
  std::map<int, Time> unproven_;  // by descriptor; when accepted
};

}  // namespace pastry::host
