#include <array>

#include "pastry/wire/codec.h"

namespace pastry::wire {
namespace {

// In the order of the Message variant.
constexpr std::array<std::string_view, std::variant_size_v<Message>> kKinds = {
    "routed",
    "hop_ack",
    "outcome",
    "join_request",
    "join_transfer",
    "gap_reserve",
    "gap_reserve_reply",
    "join_grant",
    "join_report",
    "gap_release",
    "join_refused",
    "leaf_probe",
    "lease",
    "ping",
    "pong",
    "row_request",
    "row_reply",
    "neighbourhood_request",
    "neighbourhood_reply",
    "announce",
    "leave",
    "direct",
    "seek",
    "relay"};
static_assert(std::is_same_v<std::variant_alternative_t<0, Message>, Routed>);
static_assert(std::is_same_v<std::variant_alternative_t<kKinds.size() - 1, Message>, Relay>);

}  // namespace

std::string_view kind_of(const Message& message) { return kind_name(message.index()); }
std::size_t kind_count() { return kKinds.size(); }
std::string_view kind_name(std::size_t index) {
  return index < kKinds.size() ? kKinds[index] : "unknown";
}

}  // namespace pastry::wire
