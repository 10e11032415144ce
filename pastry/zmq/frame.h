// How messages share ZeroMQ frames on data and bulk connections.
//
// One ZeroMQ message is one or two frames. The first is
//   token  u64   what the receiver's welcome gave to the sending process (see admission.h)
//   record …     at least one
// and a record is
//   header_size u32, payload_size u32, header_size bytes, payload_size bytes
// with all integers little-endian. Small payloads travel in the record, so that many small messages
// cost one ZeroMQ message; payload_size kDetached says that the payload is the second frame, which
// only the last record may, and then the second frame must be there. Headers are what
// pastry/wire encodes; nothing here looks into them.
#pragma once

#include <cstdint>
#include <cstring>

#include "pastry/core/payload.h"

namespace pastry::host {

using SessionToken = std::uint64_t;

inline constexpr std::size_t kTokenSize = 8;
inline constexpr std::size_t kRecordPrefix = 8;
inline constexpr std::uint32_t kDetached = 0xffffffffU;
// Payloads up to this size are copied into the record; above, copying costs more than a frame.
inline constexpr std::size_t kInlinePayloadMax = 4096;
// A frame that reached this size takes no further record.
inline constexpr std::size_t kFrameFull = 16 * 1024;

std::uint32_t load_u32(const std::uint8_t* at);
std::uint64_t load_u64(const std::uint8_t* at);
void store_u32(std::uint8_t* at, std::uint32_t value);
void store_u64(std::uint8_t* at, std::uint64_t value);

// Appends a record; with `detached` the payload's bytes are left out.
void append_record(Bytes& frame, ByteView header, ByteView payload, bool detached);

// Walks the records of a received first frame, without trusting any of it.
class RecordReader {
 public:
  // `frame` includes the token.
  explicit RecordReader(ByteView frame);

  struct Record {
    ByteView header;
    ByteView payload;       // inside the frame
    bool detached = false;  // the payload is the second frame
  };

  // False at the end and at the first record that does not fit.
  bool next(Record& record);
  // All of the frame was records.
  bool well_formed() const { return !broken_; }

 private:
  ByteView rest_;
  bool broken_ = false;
};

}  // namespace pastry::host
