// Which process a command talks to: --node or PASTRY_NODE, or the only one that runs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/control/client.h"
#include "apps/control/deadline.h"
#include "apps/control/runtime_dir.h"

namespace pastry::control {

// Of an id that begins so, where the whole one is not given, at least so many digits are needed to
// choose nodes for something to be done to them.
inline constexpr std::size_t kIdDigitsMin = 4;
// An id or its first digits in lower case; nothing if the text is neither.
std::optional<std::string> id_digits(std::string text);

struct Target {
  std::unique_ptr<Client> client;
  // The node within the process that was named, or an active one.
  std::string node;
  // Of the processes known on this machine, for those who want to show pids.
  std::vector<Entry> entries;
  // The supervisor of the cluster, 0 if it is not one.
  pid_t cluster = 0;
};

// Finds a live node. `selector` empty: the only standalone node, or any node of the only cluster.
// Otherwise a node id or its first digits, a control socket (path, "ipc://…" or "tcp://…") of a
// node or of a cluster, or the pid of a node or cluster. Errors: unavailable (none runs, none
// answers), invalid (several run, or several ids begin so).
Result<Target> find_node(const std::string& runtime_dir, const std::string& selector,
                         const Deadline& deadline);

// The supervisor of the cluster that `selector` (as above) names.
Result<Target> find_cluster(const std::string& runtime_dir, const std::string& selector,
                            const Deadline& deadline);

}  // namespace pastry::control
