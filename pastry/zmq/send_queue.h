// What waits to be sent to one process: by priority, packed into frames, bounded in bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "pastry/core/message.h"
#include "pastry/core/payload.h"
#include "pastry/zmq/frame.h"

namespace pastry::host {

// A frame with records, and the payload of its last record if that is detached.
struct Batch {
  Bytes frame;
  Payload payload;
  std::size_t bytes = 0;  // of both
  std::uint32_t messages = 0;
  bool sealed = false;  // takes no further record
};

class SendQueue {
 public:
  // Half of `bytes_max` is for application, half for bulk priority; control messages have an eighth
  // of it to themselves, so that acknowledgements and probes pass when the rest is full.
  explicit SendQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False if it does not fit: the message is dropped. A single message always fits an empty queue.
  bool add(Priority priority, ByteView header, Payload payload);

  // The batch to send next at this priority, or nullptr.
  Batch* front(Priority priority);
  // Takes the front batch out; gives its buffer back for reuse.
  void pop(Priority priority);

  bool empty() const { return bytes() == 0; }
  bool empty(Priority priority) const { return lane(priority).batches.empty(); }
  std::size_t bytes() const;
  std::size_t bytes(Priority priority) const { return lane(priority).bytes; }
  std::uint64_t messages() const;
  void clear();

 private:
  struct Lane {
    std::deque<Batch> batches;
    RecordWriter records;  // of the last batch
    std::size_t bytes = 0;
  };

  Lane& lane(Priority priority) { return lanes_[static_cast<std::size_t>(priority)]; }
  const Lane& lane(Priority priority) const { return lanes_[static_cast<std::size_t>(priority)]; }
  std::size_t limit(Priority priority) const;

  std::size_t bytes_max_;
  std::array<Lane, 3> lanes_;
  Bytes spare_;
};

}  // namespace pastry::host
