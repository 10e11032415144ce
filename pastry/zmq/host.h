// The process host: drives any number of nodes behind one address over ZeroMQ.
//
// A host owns its nodes, their directory, the sockets, a storage thread and a hashing thread. All
// nodes and applications run on one loop, the thread that calls run(); one step at a time.
//
//   auto host = Host::open(std::move(options));          // binds, or says why not
//   host->node(0).add_application(kLookupApplication, lookup);
//   host->join(0, {"tcp://127.0.0.1:4000"});              // or host->found(0)
//   host->run();                                          // until stop()
//
// Addresses. A process has ONE address "tcp://HOST:PORT", that of its admission socket; it is what
// PeerInfo::host.addresses carries and what --join takes. Its data socket listens on PORT + 1 and
// its bulk socket on PORT + 2, also when --advertise names another HOST:PORT (a forwarder in front
// must forward three consecutive ports). With port 0 (or "*") the host looks for three free
// consecutive ports; address() tells what it found. HOST may be an IPv4 address, an IPv6 address in
// brackets, or a name. [Wire and sockets: docs of pastry/zmq/transport.h]
//
// Threads: everything must be called on the loop's thread (or before run()), except post() and
// stop(), which any thread may call. Callbacks run on the loop and must be short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/event.h"
#include "pastry/core/hash.h"
#include "pastry/core/node.h"
#include "pastry/core/storage.h"
#include "pastry/zmq/options.h"

namespace pastry::host {

class Host {
 public:
  using Callback = std::function<void()>;
  // Identifies a timer or a watch; never 0.
  using Token = std::uint64_t;

  // Binds the sockets and makes the nodes. Errors, each one clear line: invalid (an option out of
  // range, a malformed endpoint), refused (an address that is not loopback in insecure mode),
  // conflict (port taken), failed (the system said no).
  static Result<std::unique_ptr<Host>> open(Options options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // --- Nodes ---

  // In the order of Options::nodes. References stay valid as long as the host.
  std::size_t node_count() const;
  Node& node(std::size_t index);
  // The index of the local node with this id, or node_count().
  std::size_t find_node(const NodeId& id) const;
  Directory& directory();
  const Config& config() const;

  // Makes the node the first of a new ring.
  void found(std::size_t index);

  // Lets the node join through the processes at `endpoints` ("tcp://HOST:PORT"), which are asked at
  // their admission sockets for the nodes they host, and through `remembered` peers of an earlier
  // life. `was_member`: the node was active in one (core's Node::join says what follows). Goes on
  // trying with back-off; each vain attempt is reported as a JoinFailed event. Errors: invalid
  // (malformed endpoint, nothing to try, not loopback in insecure mode).
  Result<void> join(std::size_t index, const std::vector<std::string>& endpoints,
                    std::span<const PeerInfo> remembered = {}, bool was_member = false);

  // Calls action(Context) in the name of `application` at once; inside an upcall: right after the
  // running step.
  void run_on_node(std::size_t index, ApplicationId application,
                   std::function<void(Context)> action);

  // From now on whatever these nodes send to nodes here is dropped as it arrives (and counted as
  // lost): how a test cluster falls into parts without privileges. Replaces the nodes named before;
  // none: everything arrives again. Admission is not touched.
  void block(const std::vector<NodeId>& senders);

  // --- The loop ---

  // Runs until stop(); returns after everything is closed for sending. Call once.
  void run();

  // Makes run() return. With `leave` the nodes leave the ring gracefully first; what is queued is
  // sent for at most Options::flush_max, then everything is dropped.
  void stop(bool leave = true);

  // Runs `action` on the loop. False if the loop has ended or its queue is full.
  bool post(Callback action);

  // Calls `action` whenever `fd` (a descriptor) or `socket` (a ZeroMQ socket of any context) is
  // ready for `events` (ZMQ_POLLIN | ZMQ_POLLOUT | ZMQ_POLLERR). For a few items only.
  Token watch(int fd, short events, std::function<void(short events)> action);
  Token watch_socket(void* socket, short events, std::function<void(short events)> action);
  void unwatch(Token watch);

  // Calls `action` each `period` (first after one period), or once after `delay`.
  Token every(Duration period, Callback action);
  Token after(Duration delay, Callback action);
  void cancel(Token timer);

  // Adds a listener for what the nodes report.
  void on_event(std::function<void(std::size_t node, const NodeEvent&)> listener);

  // The host's clock: CLOCK_BOOTTIME, read anew.
  Time now() const;

  // --- Views ---

  // The advertised address, with the actual port.
  const std::string& address() const;
  // What PeerInfo::host of all nodes here says.
  const HostInfo& info() const;
  // "insecure: ..." in one line for people, or empty if the mode is secure.
  std::string security_notice() const;
  Counters counters() const;
  // Processes to which a connection is up.
  std::size_t connected_peers() const;

 private:
  class Impl;
  explicit Host(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pastry::host
