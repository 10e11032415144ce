// The publisher's side: a bounded queue per topic, sent to the root in order until acknowledged.
//
// The first frame is routed; its acknowledgement tells who the root is, and the next ones go there
// directly until it says that it is not the root, dies, or stays silent.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "scribe/shared.h"

namespace scribe {

class Publishing {
 public:
  explicit Publishing(Shared& shared) : shared_(shared) {}

  Result<std::uint64_t> publish(Context context, std::string_view topic, Payload payload,
                                PublishCallback done);
  std::size_t unacknowledged(const Key& group) const;

  void acknowledged(Context context, Handle from, const PublishAck& ack);
  void peer_gone(Context context, Handle node);

  // Sends what may be sent; at each flush.
  void flush(Context context);
  void tick(Context context);
  bool idle() const { return publishers_.empty(); }
  void mark_handles(pastry::Directory& directory) const;

 private:
  struct Waiting {
    Payload payload;
    PublishCallback done;
  };
  struct Publisher {
    std::string name;
    std::uint64_t session = 0;
    std::uint64_t base = 0;      // everything up to here is done with
    std::uint64_t received = 0;  // the root has accepted up to here
    std::uint64_t sent = 0;      // sent up to here
    std::deque<Waiting> queue;   // sequence numbers base + 1 …
    std::size_t bytes = 0;       // in the queue
    std::size_t flying = 0;      // bytes sent and not received
    Handle root = kNoHandle;
    int silent = 0;    // repetitions without an answer
    Time repeat_at{};  // when to repeat or ask, while something waits
    Time progress{};
    bool dirty = false;

    std::uint64_t last() const { return base + queue.size(); }
    const Waiting& at(std::uint64_t sequence) const { return queue[sequence - base - 1]; }
  };

  void send_frames(Context context, const Key& group, Publisher& publisher);
  void send_frame(Context context, const Key& group, Publisher& publisher, std::uint64_t from,
                  std::uint64_t to);
  void go_back(Publisher& publisher, std::uint64_t received);
  void complete(Context context, const Key& group, std::uint64_t upto);
  void fail_all(Context context, const Key& group);
  void wake(Context context, Publisher& publisher);
  Publisher* find_or_create(Context context, const Key& group, std::string_view topic);

  Shared& shared_;
  std::map<Key, Publisher> publishers_;
  bool dirty_ = false;
};

}  // namespace scribe
