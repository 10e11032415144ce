#include "pastry/zmq/frame.h"

#include <array>
#include <bit>

namespace pastry::host {

static_assert(std::endian::native == std::endian::little,
              "frames are little-endian; other machines need byte swaps here");

std::uint32_t load_u32(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint64_t load_u64(const std::uint8_t* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void store_u32(std::uint8_t* at, std::uint32_t value) { std::memcpy(at, &value, sizeof value); }
void store_u64(std::uint8_t* at, std::uint64_t value) { std::memcpy(at, &value, sizeof value); }

void append_record(Bytes& frame, ByteView header, ByteView payload, bool detached) {
  std::array<std::uint8_t, kRecordPrefix> prefix;
  store_u32(prefix.data(), static_cast<std::uint32_t>(header.size()));
  store_u32(prefix.data() + 4, detached ? kDetached : static_cast<std::uint32_t>(payload.size()));
  frame.insert(frame.end(), prefix.begin(), prefix.end());
  frame.insert(frame.end(), header.begin(), header.end());
  if (!detached) frame.insert(frame.end(), payload.begin(), payload.end());
}

RecordReader::RecordReader(ByteView frame) {
  if (frame.size() < kTokenSize + kRecordPrefix) {
    broken_ = true;
    return;
  }
  rest_ = frame.subspan(kTokenSize);
}

bool RecordReader::next(Record& record) {
  if (broken_ || rest_.empty()) return false;
  broken_ = true;  // until proved otherwise
  if (rest_.size() < kRecordPrefix) return false;
  const std::size_t header_size = load_u32(rest_.data());
  const std::uint32_t payload_size = load_u32(rest_.data() + 4);
  rest_ = rest_.subspan(kRecordPrefix);
  if (header_size == 0 || header_size > rest_.size()) return false;
  record.header = rest_.first(header_size);
  rest_ = rest_.subspan(header_size);
  record.detached = payload_size == kDetached;
  if (record.detached) {
    record.payload = {};
    if (!rest_.empty()) return false;
  } else {
    if (payload_size > rest_.size()) return false;
    record.payload = rest_.first(payload_size);
    rest_ = rest_.subspan(payload_size);
  }
  broken_ = false;
  return true;
}

}  // namespace pastry::host
