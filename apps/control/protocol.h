// The control protocol: what commands, gateways and tools speak with a running node or cluster.
//
// Specified in docs/control-protocol.md. A ZeroMQ message of one or two frames: a header in JSON
// and, for pieces of a byte stream, the bytes. Input is checked here: a header that is too large,
// too deep, of another version or lacks a field is an error value, never a crash.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "pastry/core/error.h"

namespace pastry::control {

using Json = nlohmann::json;
using CallId = std::uint64_t;

inline constexpr int kVersion = 1;
inline constexpr std::size_t kHeaderMax = 1U << 20;
inline constexpr std::size_t kDataMax = 1U << 20;  // a piece of a byte stream: 1 MiB
inline constexpr int kHeaderDepthMax = 16;
// Credit that a receiver can have granted and not got used, per call.
inline constexpr std::uint64_t kCreditMax = 16U << 20;
// What a message without a data frame costs at least.
inline constexpr std::uint64_t kMessageCost = 256;

enum class Type : unsigned char {
  call,    // client: method, params, credit
  data,    // both: a piece of a byte stream, end on the last one
  credit,  // both: bytes more may be sent on this call
  cancel,  // client: the call's answer is no longer wanted
  result,  // server, last of a call
  error,   // server, last of a call
  event,   // server: an object, perhaps with data
  ping,    // server: the call goes on
};

// The header. Which fields mean something depends on the type.
struct Header {
  Type type = Type::call;
  CallId call = 0;
  std::string method;
  Json body;                 // params, result or event: an object
  std::uint64_t credit = 0;  // call, credit
  bool end = false;          // data
  Error error;               // error
};

std::string encode(const Header& header);

// Errors: too_large, invalid, incompatible (other version). `call` is set to the call's id as soon
// as it is known, so that the answer can name it.
Result<Header> decode(std::string_view text, CallId& call);

std::optional<ErrorCode> error_code(std::string_view name);

}  // namespace pastry::control
