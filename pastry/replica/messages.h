// The messages between replica layers, as values. replica.capnp specifies how they travel.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "pastry/replica/entry.h"

namespace pastry::replica {

// How a holder or a root answers.
enum class Answer : std::uint8_t {
  ok = 0,
  missing = 1,      // no such entry here
  removed = 2,      // a tombstone is here
  corrupt = 3,      // damaged here
  conflict = 4,     // another version or other content is in the way
  full = 5,         // no space
  busy = 6,         // later
  refused = 7,      // not in the replica set as the answering node sees it
  failed = 8,       // the disk said no
  unavailable = 9,  // fewer stores than wanted
  invalid = 10,
};
inline constexpr std::uint8_t kAnswerMax = 10;

struct Locate {
  std::uint64_t operation = 0;
  StoreName name;
  std::uint8_t replicas = 1;
  bool with_entry = false;
};

struct Located {
  std::uint64_t operation = 0;
  Answer status = Answer::missing;
  EntryInfo entry;
  bool sure = false;
};

struct StoreMessage {
  EntryInfo entry;
  bool strict = true;
};

struct Stored {
  Answer status = Answer::ok;
  std::uint64_t version = 0;
};

struct Get {
  StoreName name;
  bool check = false;  // the holder checks its bytes before it answers
};

struct Got {
  Answer status = Answer::ok;
  EntryInfo entry;
};

struct Stat {
  StoreName name;
  // From a newcomer to the root before it (former_roots.h).
  bool former = false;
};

struct Statted {
  Answer status = Answer::ok;
  EntryInfo entry;
};

struct Summary {
  StoreName from;
  StoreName to;
  std::uint32_t count = 0;
  std::uint64_t sum = 0;
};

struct Summarised {
  bool same = false;
  bool doubtful = false;  // the answering node was away and does not know yet what it missed
};

struct Offer {
  std::vector<Offered> entries;  // at most kOfferMax
  bool ask = false;              // nothing is to be fetched: is there anything newer?
};
inline constexpr std::size_t kOfferMax = 512;

enum class OfferStatus : std::uint8_t { lacks = 0, holds = 1, refused = 2, newer = 3 };

struct OfferAnswer {
  Bytes answers;  // an OfferStatus per entry
};

// Whether a peer that answered so needs no copy of what was offered.
inline bool confirms(std::uint8_t answer) {
  return answer == static_cast<std::uint8_t>(OfferStatus::holds) ||
         answer == static_cast<std::uint8_t>(OfferStatus::newer);
}

struct RecordMessage {
  std::uint64_t operation = 0;
  StoreName name;
  bool update = false;
  std::uint64_t expected_version = 0;
  std::uint8_t replicas = 1;
  std::uint8_t at_least = 0;
  WriterId writer;
};

struct Recorded {
  std::uint64_t operation = 0;
  Answer status = Answer::ok;
  std::uint64_t version = 0;
  std::uint8_t copies = 0;
  std::uint8_t wanted = 0;
};

using ReplicaMessage =
    std::variant<Locate, Located, StoreMessage, Stored, Get, Got, Stat, Statted, Summary,
                 Summarised, Offer, OfferAnswer, RecordMessage, Recorded>;

// A message with the raw bytes behind it.
struct Frame {
  ReplicaMessage message;
  Payload body;
};

// Bytes to messages and back. Errors: invalid, too_large.
Result<Payload> encode(const ReplicaMessage& message, ByteView body = {});
Result<Frame> decode(const Payload& frame);

}  // namespace pastry::replica
