#include "pastry/wire/codec.h"
#include "pastry/wire/segment.h"

namespace pastry::wire {

bool Pack::add(ByteView header) {
  if (count_ > 0 && (count_ >= kPackMessagesMax || frame_.size() + header.size() > kPackBytes))
    return false;
  frame_.insert(frame_.end(), header.begin(), header.end());
  ++count_;
  return true;
}

Bytes Pack::take() {
  Bytes frame = std::move(frame_);
  clear();
  return frame;
}

void Pack::clear() {
  frame_.clear();
  count_ = 0;
}

Result<ByteView> next_message(ByteView& rest) {
  if (rest.size() > kHeaderBytesMax)
    return fail(ErrorCode::too_large, "frame: " + std::to_string(rest.size()) + " bytes");
  auto message = first_message(rest);
  if (message) rest = rest.subspan(message->size());
  return message;
}

bool is_single(ByteView frame) {
  const auto message = first_message(frame);
  return message && message->size() == frame.size();
}

}  // namespace pastry::wire
