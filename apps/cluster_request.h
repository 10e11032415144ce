// What `pastry cluster kill`, `restart`, `add` and `pause` have in common: one request to the
// supervisor, whose answer lists nodes.
#pragma once

#include "apps/cli/command.h"
#include "apps/session.h"

namespace pastry::cli {

// --random, --count, --all and the nodes named as arguments.
std::vector<OptionSpec> target_options();
// The arguments as ids, their first digits or pids; what is none is noted in `reader`.
control::Json target_names(const Options& options, Reader& reader);
Result<control::Json> target_params(const Invocation& invocation);

// Prints the answer: with --json as it is, otherwise one line per node of `answer[list]`.
Result<Exit> request(const Invocation& invocation, const std::string& method,
                     const control::Json& params, const std::string& list);

}  // namespace pastry::cli
