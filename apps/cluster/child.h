// A `pastry node` process under a supervisor.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "pastry/core/error.h"

namespace pastry::cluster {

enum class ChildState : unsigned char {
  starting,  // no ready line yet
  running,
  paused,  // SIGSTOP
  dead,
};
const char* name(ChildState state);

struct Child {
  std::size_t index = 0;
  std::size_t nodes = 1;
  std::string endpoint;  // tcp://127.0.0.1:PORT
  std::string data_dir;
  std::string fixed_id;  // for --id, or empty
  std::vector<std::string> ids;
  ChildState state = ChildState::dead;
  bool killed = false;  // on purpose
  bool born = false;    // was ready once
  pid_t pid = 0;
  int output = -1;   // read end of its standard output, until the ready line
  std::string line;  // of it so far
};

// Starts this program with `arguments`, standard output to child.output, standard error to the log
// in its data directory. The process dies with the supervisor, whatever kills that, and does not
// get the terminal's signals. Error: failed.
Result<void> spawn(Child& child, const std::vector<std::string>& arguments);

// The last line of the child's log, for an error message.
std::string last_log_line(const Child& child);

}  // namespace pastry::cluster
