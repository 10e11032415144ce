#include "pastry/zmq/frame.h"

#include <array>
#include <bit>

namespace pastry::host {

// Writes which words of the header differ from the last one and what they are; returns the bytes
// written, 0 if it would save nothing. `out` has room for the header and one word.
std::size_t RecordWriter::put_changes(ByteView header, std::uint8_t* out) {
  if (header.size() != last_.size()) return 0;
  std::uint64_t changed = 0;
  std::size_t written = 8;
  for (std::size_t at = 0; at < header.size(); at += 8) {
    const std::uint64_t word = load_u64(header.data() + at);
    if (word == load_u64(last_.data() + at)) continue;
    changed |= std::uint64_t{1} << (at / 8);
    store_u64(last_.data() + at, word);
    store_u64(out + written, word);
    written += 8;
  }
  store_u64(out, changed);
  return written < header.size() ? written : 0;
}

void RecordWriter::append(Bytes& frame, ByteView header, ByteView payload, bool detached) {
  std::array<std::uint8_t, kRecordPrefix + 8 + kSameButWordsMax * 8> told;
  auto size = static_cast<std::uint32_t>(header.size());
  const std::size_t changes = put_changes(header, told.data() + kRecordPrefix);
  store_u32(told.data(), changes > 0 ? size | kSameBut : size);
  store_u32(told.data() + 4, detached ? kDetached : static_cast<std::uint32_t>(payload.size()));
  frame.insert(frame.end(), told.begin(), told.begin() + kRecordPrefix + changes);
  if (changes == 0) {
    frame.insert(frame.end(), header.begin(), header.end());
    const bool words = size % 8 == 0 && size <= 8 * kSameButWordsMax;
    last_.assign(header.begin(), words ? header.end() : header.begin());
  }
  if (!detached) frame.insert(frame.end(), payload.begin(), payload.end());
}

RecordReader::RecordReader(ByteView frame) {
  if (frame.size() < kTokenSize + kRecordPrefix) {
    broken_ = true;
    return;
  }
  rest_ = frame.subspan(kTokenSize);
}

// Makes last_ the header that the changes to it give.
bool RecordReader::read_changes(std::size_t size) {
  if (size == 0 || size != last_.size() || size % 8 != 0 || size > changed_.size() ||
      rest_.size() < 8)
    return false;
  const std::uint64_t changed = load_u64(rest_.data());
  const auto words = static_cast<std::size_t>(std::popcount(changed));
  if (rest_.size() < 8 * (words + 1) ||
      static_cast<std::size_t>(std::bit_width(changed)) > size / 8)
    return false;
  if (last_.data() != changed_.data()) std::memcpy(changed_.data(), last_.data(), size);
  last_ = ByteView(changed_).first(size);
  const std::uint8_t* word = rest_.data() + 8;
  for (std::uint64_t left = changed; left != 0; left &= left - 1, word += 8)
    std::memcpy(changed_.data() + 8 * std::countr_zero(left), word, 8);
  rest_ = rest_.subspan(8 * (words + 1));
  return true;
}

bool RecordReader::next(Record& record) {
  if (broken_ || rest_.empty()) return false;
  broken_ = true;  // until proved otherwise
  if (rest_.size() < kRecordPrefix || ++records_ > kRecordsMax) return false;
  const std::uint32_t size = load_u32(rest_.data());
  const std::uint32_t payload_size = load_u32(rest_.data() + 4);
  rest_ = rest_.subspan(kRecordPrefix);
  if ((size & kSameBut) != 0) {
    if (!read_changes(size & ~kSameBut)) return false;
  } else {
    if (size == 0 || size > rest_.size()) return false;
    last_ = rest_.first(size);
    rest_ = rest_.subspan(size);
  }
  record.header = last_;
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
