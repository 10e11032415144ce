// Errors are values: a code that programs act on and one clear line for people.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace pastry {

// The codes that every layer shares; the command line maps them to exit codes.
enum class ErrorCode : unsigned char {
  failed,        // the operation failed for a reason the message names
  invalid,       // bad input: malformed, out of range, unknown
  not_found,     // every member of the replica set was asked and none has it
  unavailable,   // not enough live nodes could be reached to answer
  timed_out,     // the deadline passed
  refused,       // a peer or an application refused
  too_large,     // a limit on size or count was exceeded
  full,          // no space (disk, quota, table, queue)
  corrupt,       // bytes do not match their hash
  conflict,      // a newer version or another owner is in the way
  incompatible,  // other protocol version, overlay or feature set
};

std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::failed;
  std::string message;  // one line, says what was wrong and what to do
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace pastry
