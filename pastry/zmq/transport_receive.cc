// What comes in: hellos, frames, and strangers.
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "pastry/zmq/transport.h"

namespace pastry::host {
namespace {

// Per turn of the loop, so that timers and sends get their share.
constexpr std::size_t kHellosPerTurn = 64;
constexpr std::size_t kDataFramesPerTurn = 128;
constexpr std::size_t kDataMessagesPerTurn = 2048;
constexpr std::size_t kBulkFramesPerTurn = 8;
// An inline payload keeps its whole frame alive only if it is a good part of it.
constexpr std::size_t kShareFraction = 16;

ByteView view_of(const zmq::message_t& frame) {
  return {static_cast<const std::uint8_t*>(frame.data()), frame.size()};
}

bool receive_part(zmq::socket_t& socket, zmq::message_t& part) {
  return zmq_msg_recv(part.handle(), socket.handle(), ZMQ_DONTWAIT) >= 0;
}

// The rest of a message that has more frames than it should.
void discard_rest(zmq::socket_t& socket, zmq::message_t& last) {
  while (last.more())
    if (!receive_part(socket, last)) break;
}

std::string property(zmq::message_t& frame, const char* name) {
  const char* value = zmq_msg_gets(frame.handle(), name);
  return value == nullptr ? std::string("unknown") : std::string(value);
}

int descriptor_of(zmq::message_t& frame) { return zmq_msg_get(frame.handle(), ZMQ_SRCFD); }

}  // namespace

// False: there is nothing more to read.
bool Transport::receive_hellos(Time now) {
  zmq::socket_t& socket = listeners_.admission.socket;
  for (std::size_t i = 0; i < kHellosPerTurn; ++i) {
    zmq::message_t identity;
    if (!receive_part(socket, identity)) return false;
    zmq::message_t hello;
    if (!identity.more() || !receive_part(socket, hello)) continue;
    const std::string from = property(hello, "Peer-Address");
    const int fd = descriptor_of(hello);
    if (hello.more()) {
      discard_rest(socket, hello);
      ++counters_.dropped_malformed;
      listeners_.admission.doorkeeper.expel(fd);
      continue;
    }
    const Bytes answer = admission_.answer(view_of(hello), from, now);
    if (answer.empty()) continue;
    if (zmq_msg_send(identity.handle(), socket.handle(), ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0)
      zmq_send(socket.handle(), answer.data(), answer.size(), ZMQ_DONTWAIT);
  }
  return true;
}

bool Transport::may_receive(Time now) {
  return receive_rate_.allows(now) && total_rate_.allows(now);
}

bool Transport::frames_pending() const {
  return listeners_.data.frames_pending || listeners_.bulk.frames_pending;
}

void Transport::receive(bool reading, const std::function<Time()>& clock) {
  now_ = clock();
  for (void* const flag : watches_.listeners.take()) *static_cast<bool*>(flag) = true;
  for (const Channel channel : kChannels) {
    Listener& listener = listeners_.at(channel);
    if (std::exchange(listener.connections_pending, false)) listener.doorkeeper.observe(now_);
  }
  bool& hellos = listeners_.admission.frames_pending;
  hellos = hellos && receive_hellos(now_);
  greeter_.work(now_);
  if (!reading || !frames_pending() || !may_receive(now_)) return;
  for (const auto& [channel, frames_max] : {std::pair(Channel::data, kDataFramesPerTurn),
                                            std::pair(Channel::bulk, kBulkFramesPerTurn)}) {
    bool& pending = listeners_.at(channel).frames_pending;
    if (!pending) continue;
    pending = receive_frames(channel, frames_max, kDataMessagesPerTurn, clock) == frames_max;
  }
}

std::size_t Transport::receive_frames(Channel channel, std::size_t frames_max,
                                      std::size_t messages_max,
                                      const std::function<Time()>& clock) {
  zmq::socket_t& socket = listeners_.at(channel).socket;
  std::size_t messages = 0;
  for (std::size_t frames = 0; frames < frames_max; ++frames) {
    if (!shared_frame_ || shared_frame_.use_count() > 1)
      shared_frame_ = std::make_shared<zmq::message_t>();
    zmq::message_t& first = *shared_frame_;
    if (!receive_part(socket, first)) return frames;
    now_ = clock();
    zmq::message_t second;
    bool whole = true;
    if (first.more()) {
      whole = receive_part(socket, second) && !second.more();
      if (!whole) discard_rest(socket, second);
    }
    if (!whole) {
      reject(channel, first, "a message of more than two frames", true);
      continue;
    }
    messages += take_message(channel, first, second, now_);
    if (messages >= messages_max) return frames_max;
  }
  return frames_max;
}

std::size_t Transport::take_message(Channel channel, zmq::message_t& first, zmq::message_t& second,
                                    Time now) {
  const std::size_t bytes = first.size() + second.size();
  ++counters_.frames_received;
  counters_.bytes_received += bytes;
  receive_rate_.spend(bytes);
  total_rate_.spend(bytes);
  AdmittedProcess* from =
      first.size() < kTokenSize ? nullptr : admission_.find(load_u64(view_of(first).data()));
  if (from == nullptr) {
    ++counters_.dropped_unadmitted;
    reject(channel, first, "a frame of a process that was not admitted", true);
    return 0;
  }
  from->last_heard = now;
  Doorkeeper& doorkeeper = listeners_.at(channel).doorkeeper;
  if (doorkeeper.has_unproven()) doorkeeper.proof(descriptor_of(first));
  return deliver_records(*from, first, second);
}

void Transport::reject(Channel channel, zmq::message_t& frame, std::string_view why, bool expel) {
  if (const std::string from = property(frame, "Peer-Address");
      logged_.first(from + std::string(why)))
    spdlog::warn("dropped {} from {}", why, from);
  // An honest process whose session ended notices the closed connection and dials anew.
  if (expel) listeners_.at(channel).doorkeeper.expel(descriptor_of(frame));
}

Payload Transport::inline_payload(ByteView bytes, zmq::message_t& frame) {
  if (bytes.empty()) return {};
  if (bytes.size() * kShareFraction >= frame.size()) return Payload(shared_frame_, bytes);
  auto copy = std::make_shared_for_overwrite<std::uint8_t[]>(bytes.size());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  const ByteView view(copy.get(), bytes.size());
  return Payload(std::move(copy), view);
}

bool Transport::lost() {
  if (options_.loss <= 0) return false;
  constexpr std::uint64_t kScale = 1U << 30;
  if (static_cast<double>(loss_.below(kScale)) >= options_.loss * static_cast<double>(kScale))
    return false;
  ++counters_.dropped_loss;
  return true;
}

std::size_t Transport::deliver_records(AdmittedProcess& from, zmq::message_t& first,
                                       zmq::message_t& second) {
  RecordReader reader(view_of(first));
  RecordReader::Record record;
  std::size_t messages = 0;
  bool expected = first.more();  // the second frame
  bool fine = true;
  while (reader.next(record)) {
    if (record.detached && !expected) {
      expected = true;
      break;
    }
    ++messages;
    Payload payload;
    if (record.detached) {
      expected = false;
      auto owner = std::make_shared<zmq::message_t>(std::move(second));
      const ByteView view = view_of(*owner);
      payload = Payload(std::move(owner), view);
    } else {
      payload = inline_payload(record.payload, first);
    }
    ++counters_.messages_received;
    if (lost()) continue;
    fine = events_.arrived(from, record.header, std::move(payload)) && fine;
  }
  if (!reader.well_formed() || expected) {
    ++counters_.dropped_malformed;
    fine = false;
  }
  if (!fine && !from.complained) {
    from.complained = true;
    spdlog::warn("dropped a malformed message of the process at {}", from.host.addresses.front());
  }
  return messages;
}

}  // namespace pastry::host
