// The bounds of the protocol: what a frame may hold. The same numbers stand in pastry.capnp.
//
// The codec checks each of them before it allocates anything for the field, in both directions, so
// that what one node sends every other node of the same version accepts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pastry/core/timestamp.h"

namespace pastry::wire {

inline constexpr std::uint16_t kProtocolVersion = 1;

// Frames. Everything else is inside a frame, so these bound the memory of a decode.
inline constexpr std::size_t kHeaderBytesMax = 512 * 1024;
inline constexpr std::size_t kHelloBytesMax = 256 * 1024;
inline constexpr std::size_t kPayloadBytesMax = (1U << 20) + 64 * 1024;  // a bulk payload
inline constexpr std::size_t kPackMessagesMax = 64;                      // messages in one frame
inline constexpr std::size_t kPackBytes = 16 * 1024;  // a frame is packed up to this size
inline constexpr int kNestingMax = 8;
inline constexpr std::uint32_t kPeriodMsMax = 86'400'000;  // a day

// A peer's description.
inline constexpr std::size_t kPeerBytesMax = 2048;
inline constexpr std::size_t kAddressesMax = 4;
inline constexpr std::size_t kAddressCharsMax = 255;
inline constexpr std::size_t kDomainBytesMax = 64;
inline constexpr std::size_t kSignatureBytesMax = 128;

// Lists.
inline constexpr std::size_t kPeersMax = 2048;  // that one message mentions, all lists together
inline constexpr std::size_t kAvoidMax = 8;
inline constexpr std::size_t kLeafSetMax = 128;
inline constexpr std::size_t kFailedMax = 256;
inline constexpr std::size_t kBatchMax = 64;
inline constexpr std::size_t kNeighbourhoodMax = 128;
inline constexpr std::size_t kRowsMax = 128;        // and at most digit_count(b)
inline constexpr std::size_t kRowEntriesMax = 256;  // and at most 2^b
inline constexpr std::size_t kRowReplyEntriesMax = 1024;
inline constexpr std::size_t kAckRangesMax = 4096;
inline constexpr std::uint64_t kAcknowledgedMax = 1U << 20;  // messages, all ranges together

// Numbers.
inline constexpr std::uint16_t kHopsMax = 1024;
inline constexpr std::uint8_t kReplicasMax = 65;                    // l/2 + 1 at l = 128
inline constexpr Duration kRetryAfterMax = std::chrono::hours(1);   // longer ones are cut to it
inline constexpr Duration kRoundTripMax = std::chrono::hours(1);    // likewise
inline constexpr Duration kProbePeriodMax = std::chrono::hours(1);  // likewise
inline constexpr Duration kLeaseRestMax = std::chrono::hours(24);   // likewise

inline constexpr std::uint32_t kDistanceUnknownUs = 0xffffffffU;

// Hello.
inline constexpr std::size_t kOverlayNameBytesMax = 64;
inline constexpr std::size_t kHelloNodesMax = 1024;
inline constexpr std::size_t kChallengeBytes = 32;
inline constexpr std::size_t kProofBytesMax = 256;
inline constexpr std::size_t kReasonBytesMax = 256;

}  // namespace pastry::wire
