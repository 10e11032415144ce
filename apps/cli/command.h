// The frame of a subcommand: its table of options, its help and how its outcome becomes an exit
// code. Each subcommand is one file cmd_NAME.cc that exports one Command, listed in commands.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/cli/exit.h"
#include "apps/cli/options.h"
#include "pastry/core/error.h"

namespace pastry::cli {

// A subcommand as it was called.
struct Invocation {
  std::string command;
  Options options;
  bool json = false;
  Duration timeout{};  // zero: no limit
};

// Command::timeout_help of those that move data.
inline constexpr const char* kProgressTimeoutHelp =
    "give up after this long without progress (0: never)";

struct Command {
  std::string name;               // "put"; "cluster kill" for the second level
  std::string arguments;          // "FILE|-", for the help
  std::size_t arguments_min = 0;  // positional arguments
  std::size_t arguments_max = 0;  //
  std::string summary;            // one line
  std::string details = {};       // further lines of the help
  std::string example;            // a command line that works
  std::string timeout = "30";     // default of --timeout, seconds; "0": none
  std::string timeout_help = "give up after this long (0: never)";
  std::vector<OptionSpec> options;  // beside the common ones
  // Does the work. An error is printed as one line (with --json as one object) on stderr and
  // becomes the exit code.
  Result<Exit> (*run)(const Invocation& invocation);
};

// Options that every command has: --help, --json, --timeout, --config.
std::vector<OptionSpec> with_common_options(const Command& command);

// Options of commands that talk to a node: --node, --runtime-dir. To be put into Command::options.
std::vector<OptionSpec> node_options(std::vector<OptionSpec> own);

// Runs the subcommand that `words` (the arguments after the program's name) name. Returns the exit
// code.
int dispatch(std::span<const Command* const> commands, std::span<const std::string> words,
             const Environment& environment);

// The help text of one command, and of the program.
std::string help(const Command& command);
std::string overview(std::span<const Command* const> commands);

}  // namespace pastry::cli
