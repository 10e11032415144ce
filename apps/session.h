// A command's conversation with a node.
#pragma once

#include "apps/cli/command.h"
#include "apps/control/target.h"

namespace pastry::cli {

struct Session {
  control::Target target;
  control::Deadline deadline;
  Duration timeout{};

  // Parameters every method takes: the node that was chosen and how long the command will wait.
  control::Json params(control::Json own = control::Json::object()) const;
  // For a command that moves data: the time-out counts from now, so from the last progress.
  control::Deadline patience() const { return control::Deadline::in(timeout); }
  control::Client& client() const { return *target.client; }
};

// To the node that --node, PASTRY_NODE or the only running overlay names.
Result<Session> connect(const Invocation& invocation);
// To the supervisor of a cluster.
Result<Session> connect_cluster(const Invocation& invocation);

// One call with one answer.
Result<control::Json> ask(const Invocation& invocation, const std::string& method,
                          control::Json params);

// The pid of the local process that hosts the node; null if it is not of this machine.
control::Json pid_of(const control::Target& target, const std::string& id);

}  // namespace pastry::cli
