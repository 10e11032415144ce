// How messages share ZeroMQ frames on data and bulk connections.
//
// One ZeroMQ message is one or two frames. The first is
//   token  u64   what the receiver's welcome gave to the sending process (see admission.h)
//   record …     at least one
// and a record is
//   header_size u32, payload_size u32, header, payload_size bytes
// with all integers little-endian. Small payloads travel in the record, so that many small messages
// cost one ZeroMQ message; payload_size kDetached says that the payload is the second frame, which
// only the last record may, and then the second frame must be there. Headers are what
// pastry/wire encodes; nothing here looks into them.
//
// The header is header_size bytes; or, because consecutive headers to a process differ in a few
// words only, header_size has kSameBut set and the header is that of the record before, which has
// the same size, but for the words that follow:
//   changed u64             bit i: the i-th group of eight bytes differs
//   words   u64 × (bits set in changed)
// Each frame starts without a record before, so every frame can be read by itself.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "pastry/core/payload.h"

namespace pastry::host {

using SessionToken = std::uint64_t;

inline constexpr std::size_t kTokenSize = 8;
inline constexpr std::size_t kRecordPrefix = 8;
inline constexpr std::uint32_t kDetached = 0xffffffffU;
inline constexpr std::uint32_t kSameBut = 0x80000000U;
// Payloads up to this size are copied into the record; above, copying costs more than a frame.
inline constexpr std::size_t kInlinePayloadMax = 4096;
// A frame that reached this size takes no further record.
inline constexpr std::size_t kFrameFull = 16 * 1024;

static_assert(std::endian::native == std::endian::little,
              "frames are little-endian; other machines need byte swaps here");

inline std::uint32_t load_u32(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline std::uint64_t load_u64(const std::uint8_t* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline void store_u32(std::uint8_t* at, std::uint32_t value) {
  std::memcpy(at, &value, sizeof value);
}
inline void store_u64(std::uint8_t* at, std::uint64_t value) {
  std::memcpy(at, &value, sizeof value);
}

// Records in one frame at most.
inline constexpr std::size_t kRecordsMax = 1024;
// A header of this many words at most can be told by what changed in it.
inline constexpr std::size_t kSameButWordsMax = 64;

// Writes the records of one frame after the other.
class RecordWriter {
 public:
  // What is appended next starts a frame.
  void start() { last_.clear(); }

  // Appends a record to the frame; with `detached` the payload's bytes are left out.
  void append(Bytes& frame, ByteView header, ByteView payload, bool detached);

 private:
  std::size_t put_changes(ByteView header, std::uint8_t* out);

  Bytes last_;  // header of the record before; empty: none that can be referred to
};

// Walks the records of a received first frame, without trusting any of it.
class RecordReader {
 public:
  // `frame` includes the token.
  explicit RecordReader(ByteView frame);
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  struct Record {
    ByteView header;        // valid until the next call
    ByteView payload;       // inside the frame
    bool detached = false;  // the payload is the second frame
  };

  // False at the end and at the first record that does not fit.
  bool next(Record& record);
  // All of the frame was records.
  bool well_formed() const { return !broken_; }

 private:
  bool read_changes(std::size_t size);

  ByteView rest_;
  ByteView last_;                                           // header of the record before
  std::array<std::uint8_t, kSameButWordsMax * 8> changed_;  // last_, if it was told by its changes
  std::size_t records_ = 0;
  bool broken_ = false;
};

}  // namespace pastry::host
