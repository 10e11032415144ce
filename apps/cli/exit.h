// Exit codes of the `pastry` command: a contract with scripts.
#pragma once

#include "pastry/core/error.h"

namespace pastry::cli {

enum class Exit : int {
  done = 0,
  failed = 1,       // port taken, data directory in use, disk full, …
  usage = 2,        // usage or bad input, also k > l/2 + 1
  not_found = 3,    // every node that could have it was asked
  unavailable = 4,  // no node reachable, too few replicas
  timed_out = 5,
  violated = 10,  // an invariant, in simulations
};

Exit exit_of(ErrorCode code);

}  // namespace pastry::cli
