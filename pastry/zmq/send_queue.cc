#include "pastry/zmq/send_queue.h"

namespace pastry::host {

std::size_t SendQueue::limit(Priority priority) const {
  return priority == Priority::control ? bytes_max_ / 8 : bytes_max_ / 2;
}

bool SendQueue::add(Priority priority, ByteView header, Payload payload) {
  Lane& lane = this->lane(priority);
  const std::size_t size = kRecordPrefix + header.size() + payload.size();
  if (!lane.batches.empty() && lane.bytes + size > limit(priority)) return false;

  const bool detached = payload.size() > kInlinePayloadMax;
  const std::size_t inline_size = size - (detached ? payload.size() : 0);
  if (lane.batches.empty() || lane.batches.back().sealed ||
      lane.batches.back().messages == kRecordsMax ||
      lane.batches.back().frame.size() + inline_size > kFrameFull) {
    if (!lane.batches.empty()) lane.batches.back().sealed = true;
    Batch& fresh = lane.batches.emplace_back();
    fresh.frame = std::move(spare_);
    fresh.frame.clear();
    fresh.frame.resize(kTokenSize);  // filled in when it is sent
    fresh.bytes = kTokenSize;
    lane.records.start();
    lane.bytes += kTokenSize;
  }
  Batch& batch = lane.batches.back();
  const std::size_t before = batch.frame.size();
  lane.records.append(batch.frame, header, payload.view(), detached);
  const std::size_t taken = batch.frame.size() - before + (detached ? payload.size() : 0);
  ++batch.messages;
  batch.bytes += taken;
  lane.bytes += taken;
  if (detached) {
    batch.payload = std::move(payload);
    batch.sealed = true;
  }
  return true;
}

Batch* SendQueue::front(Priority priority) {
  Lane& lane = this->lane(priority);
  return lane.batches.empty() ? nullptr : &lane.batches.front();
}

void SendQueue::pop(Priority priority) {
  Lane& lane = this->lane(priority);
  Batch& batch = lane.batches.front();
  lane.bytes -= batch.bytes;
  if (batch.frame.capacity() > spare_.capacity() && batch.frame.capacity() <= 2 * kFrameFull)
    spare_ = std::move(batch.frame);
  lane.batches.pop_front();
}

std::size_t SendQueue::bytes() const {
  std::size_t sum = 0;
  for (const Lane& lane : lanes_) sum += lane.bytes;
  return sum;
}

std::uint64_t SendQueue::messages() const {
  std::uint64_t sum = 0;
  for (const Lane& lane : lanes_)
    for (const Batch& batch : lane.batches) sum += batch.messages;
  return sum;
}

void SendQueue::clear() {
  for (Lane& lane : lanes_) {
    lane.batches.clear();
    lane.bytes = 0;
  }
}

}  // namespace pastry::host
