#include "apps/cli/exit.h"

namespace pastry::cli {

Exit exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return Exit::usage;
    case ErrorCode::not_found:
      return Exit::not_found;
    case ErrorCode::unavailable:
      return Exit::unavailable;
    case ErrorCode::timed_out:
      return Exit::timed_out;
    case ErrorCode::failed:
    case ErrorCode::refused:
    case ErrorCode::too_large:
    case ErrorCode::full:
    case ErrorCode::corrupt:
    case ErrorCode::conflict:
    case ErrorCode::incompatible:
      return Exit::failed;
  }
  return Exit::failed;
}

}  // namespace pastry::cli
