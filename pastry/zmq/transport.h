// The sockets of a process and what goes through them; knows no nodes and no messages.
//
// Listening: an admission ROUTER at the process's address (hello and its answer), a data PULL on
// the next port and a bulk PULL on the one after. Sending: one PUSH per remote process for control
// and application priority and one for bulk, both made when first needed, after a greeting at the
// other's admission socket gave the session token (admission.h). Frames: frame.h.
//
// Everything is bounded: bytes queued per peer, peers, ZeroMQ's own queues, sizes of frames,
// strangers' connections (doorkeeper.h). Everything is non-blocking and belongs to one thread.
// A frame that ZeroMQ accepted may still be lost: acknowledgements are the nodes' business.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pastry/core/random.h"
#include "pastry/zmq/admission.h"
#include "pastry/zmq/doorkeeper.h"
#include "pastry/zmq/greeter.h"
#include "pastry/zmq/listener.h"
#include "pastry/zmq/options.h"
#include "pastry/zmq/peer.h"
#include "pastry/zmq/rate_limiter.h"

namespace pastry::host {

// What the transport tells its user.
class TransportEvents {
 public:
  virtual ~TransportEvents() = default;

  // A message of an admitted process. `header` is valid during the call only. False: malformed.
  virtual bool arrived(const AdmittedProcess& from, ByteView header, Payload payload) = 0;
  // The process could not be reached, or its connection went down: a hint, not a proof of death.
  virtual void unreachable(const HostInfo& host) = 0;
};

class Transport {
 public:
  // Binds the sockets. `directory`, `verifier` and `events` must outlive the transport. Errors as
  // Host::open.
  static Result<std::unique_ptr<Transport>> open(const TransportOptions& options,
                                                 Directory& directory, const Verifier& verifier,
                                                 TransportEvents& events);
  ~Transport();

  // The advertised address and the process's key.
  const HostInfo& self() const { return self_; }
  // The nodes that hellos name; before the loop starts.
  void set_nodes(std::vector<wire::HelloNode> nodes);

  // Takes the message; false if it was dropped (queue full, no room for the peer, resting).
  bool send(HostIndex to, Priority priority, ByteView header, Payload payload, Time now);

  // Says hello to the process at `to` and reports its answer.
  void greet(const Endpoint& to, Time now, Greeter::Done done);

  // --- One turn of the loop: poll, receive, …, flush; tick now and then ---

  void add_poll_items(std::vector<zmq_pollitem_t>& items);
  // Hellos and answers, and with `reading` what arrived for the nodes, up to a budget. `clock` is
  // read before each frame is handed over.
  void receive(bool reading, const std::function<Time()>& clock);
  // Sends what is queued, as far as the connections take it.
  void flush(Time now);
  // Monitors, timeouts, idle connections.
  void tick(Time now);
  // When flush(), tick(), or receive() of what arrived before, is wanted next.
  Time next_deadline(bool reading) const;

  // Nothing is queued here.
  bool drained() const;
  // No more admissions and messages; what ZeroMQ holds is sent for at most `linger`.
  void close(Duration linger);

  // Directory garbage collection: HostIndex values may change their meaning afterwards.
  void mark_handles() { admission_.mark_handles(); }
  void forget_host_indices() { by_index_.clear(); }

  std::size_t connected_peers() const;
  std::size_t queued_bytes(const HostInfo& host) const;
  Counters& counters() { return counters_; }
  void add_admission_counters(Counters& counters) const;

 private:
  struct KeyHash {
    std::size_t operator()(const TransportKey& key) const;
  };

  // Who has something to read.
  struct Watches {
    Readiness listeners;  // the tags are their flags
    Readiness peers;      // news of their connections; the tags are the peers
    Readiness greetings;

    static Result<Watches> make();
  };

  Transport(const TransportOptions& options, Directory& directory, const Verifier& verifier,
            TransportEvents& events, zmq::context_t context, Listeners listeners, Watches watches,
            HostInfo self);

  // Receiving (transport_receive.cc).
  Result<void> watch_listeners();
  bool may_receive(Time now);
  bool frames_pending() const;
  bool receive_hellos(Time now);
  std::size_t receive_frames(Channel channel, std::size_t frames_max, std::size_t messages_max,
                             const std::function<Time()>& clock);
  std::size_t take_message(Channel channel, zmq::message_t& first, zmq::message_t& second,
                           Time now);
  void reject(Channel channel, zmq::message_t& frame, std::string_view why, bool expel);
  std::size_t deliver_records(AdmittedProcess& from, zmq::message_t& first, zmq::message_t& second);
  Payload inline_payload(ByteView bytes, zmq::message_t& frame);
  bool lost();
  bool strangers();

  // Sending (transport_send.cc).
  Peer* peer_of(HostIndex host, Time now);
  bool make_room(Time now);
  void begin_greeting(Peer& peer, Time now);
  void greeted(const TransportKey& key, Result<wire::HelloAccepted> answer, Time now);
  void connection_lost(Peer& peer, Time now);
  void give_up(Peer& peer, const std::string& why, Time now);
  void flush_peer(Peer& peer, Time now);
  bool flush_lane(Peer& peer, Connection& connection, Priority priority, Time now);
  bool may_send(Priority priority, Time now);
  void schedule(Peer& peer);
  void drop_connections(Peer& peer, Duration linger);
  void look_after(Peer& peer, Time now);

  TransportOptions options_;
  Directory& directory_;
  TransportEvents& events_;
  zmq::context_t context_;
  Listeners listeners_;
  HostInfo self_;
  Admission admission_;
  Watches watches_;
  Greeter greeter_;
  Random loss_;
  Random jitter_;
  RateLimiter send_rate_;
  RateLimiter receive_rate_;
  RateLimiter total_rate_;
  bool rate_held_ = false;  // a peer waits for send_rate_ or total_rate_
  Counters counters_;
  OncePerKey logged_;
  Time now_{};
  Time next_tick_{};   // of peers: timeouts, idle connections
  Time next_sweep_{};  // of strangers
  bool closed_ = false;

  std::unordered_map<TransportKey, std::unique_ptr<Peer>, KeyHash> peers_;
  std::vector<Peer*> by_index_;  // by HostIndex; a cache of peers_
  std::vector<Peer*> to_flush_;
  std::shared_ptr<zmq::message_t> shared_frame_;
};

}  // namespace pastry::host
