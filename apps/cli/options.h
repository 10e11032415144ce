// Options of a subcommand: declared as a table, read from flags, environment, file and defaults.
//
// Precedence: flag > PASTRY_NAME in the environment > --config FILE > default. A config file has
// lines `name = value`; a section `[put]` holds for that subcommand only, `[sim-route]` for `sim
// route`. Unknown names are errors.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pastry/core/duration_text.h"
#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"

namespace pastry::cli {

struct OptionSpec {
  std::string name;   // long name without dashes
  char letter = 0;    // short name, or 0
  std::string value;  // what stands for the value in the help; empty: a flag
  std::string help;   // one line
  std::string default_value = {};
  bool repeatable = false;  // may be given several times, or with commas
};

// Looks a variable of the environment up; nullptr if it is not set.
using Environment = std::function<const char*(const std::string& name)>;

class Options {
 public:
  // What parse() needs to know about the command.
  struct Grammar {
    std::string command;  // "put", "cluster kill"
    std::span<const OptionSpec> specs;
    std::size_t arguments_min = 0;
    std::size_t arguments_max = 0;
    // Every option name of any command: a config file may serve several.
    std::function<bool(std::string_view name)> known_anywhere;
    // Every section that a config file may have: the commands' names, with '-' for the blank.
    std::function<bool(std::string_view section)> known_section;
  };

  // Errors: invalid (unknown option, missing value, too many or few arguments), failed (the config
  // file cannot be read).
  static Result<Options> parse(const Grammar& grammar, std::span<const std::string> words,
                               const Environment& environment);

  // Another default for an option of the command that takes a value; nothing if it has none of that
  // name.
  void set_default(const std::string& name, const std::string& value);

  bool flag(const std::string& name) const;
  // Whether it was given by flag, environment or file.
  bool given(const std::string& name) const;
  // The value or the default; of a repeatable one all values joined by commas.
  std::string text(const std::string& name) const;
  std::vector<std::string> list(const std::string& name) const;
  const std::vector<std::string>& arguments() const { return arguments_; }
  // Every option with its value or default, "true" for a flag that is set, in the order of names.
  std::vector<std::pair<std::string, std::string>> all() const;

 private:
  std::map<std::string, std::vector<std::string>> values_;  // given ones
  std::map<std::string, std::string> defaults_;             // of all that take a value; empty: none
  std::vector<std::string> arguments_;
};

// Typed values out of Options. Keeps the first error, so that a command reads all its options and
// asks once.
class Reader {
 public:
  explicit Reader(const Options& options) : options_(&options) {}

  std::int64_t integer(const std::string& name, std::int64_t min, std::int64_t max);
  // "500ms", "1.5" or "1.5s" (seconds), "30min", "1h"; see duration_text.h.
  Duration duration(const std::string& name);
  // One of `words`; returns its index.
  std::size_t choice(const std::string& name, std::initializer_list<std::string_view> words);

  // Notes an error of the caller's own.
  void note(Error error);
  const std::optional<Error>& error() const { return error_; }

 private:
  const Options* options_;
  std::optional<Error> error_;
};

// The whole text as a decimal integer.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace pastry::cli
