// Which of many ZeroMQ sockets have something to read, at a cost that does not grow with them.
//
// Asking each socket costs two system calls, and zmq_poll() asks all. Here the kernel is asked once
// for all of them, by their ZMQ_FD. That descriptor tells of changes only, and here each is told
// once: whoever was reported, and whoever was just added, must be read until there is nothing left
// before news of it can be relied on again. Sending over a socket may swallow news of it: read
// afterwards. Belongs to one thread.
#pragma once

#include <vector>
#include <zmq.hpp>

#include "pastry/core/error.h"

namespace pastry::host {

class Readiness {
 public:
  // Error: failed (no descriptors).
  static Result<Readiness> make();
  ~Readiness();
  Readiness(Readiness&& other) noexcept;
  Readiness& operator=(Readiness&&) = delete;

  // Reports `tag` whenever the socket has news, until it is removed. Error: failed (no memory in
  // the kernel).
  Result<void> add(zmq::socket_t& socket, void* tag);
  // Before the socket is closed.
  void remove(zmq::socket_t& socket);

  // The tags of those with news, each once, without waiting; a bounded number, the others next
  // time.
  std::vector<void*> take();
  // Readable when take() would return something.
  int descriptor() const { return descriptor_; }

 private:
  explicit Readiness(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace pastry::host
