#include "apps/cli/command.h"

#include <algorithm>
#include <exception>

#include "apps/cli/output.h"
#include "apps/cli/program.h"

namespace pastry::cli {
namespace {

constexpr std::size_t kHelpColumn = 28;

std::string padded(std::string text, std::size_t width) {
  if (text.size() + 2 > width) return text + "\n" + std::string(width, ' ');
  text.resize(width, ' ');
  return text;
}

// The command with the longest name that the words begin with, and how many words that took.
struct Found {
  const Command* command = nullptr;
  std::size_t words = 0;
};

Found find_command(std::span<const Command* const> commands, std::span<const std::string> words) {
  Found found;
  for (const Command* command : commands) {
    const std::size_t count = command->name.find(' ') == std::string::npos ? 1 : 2;
    if (words.size() < count || count <= found.words) continue;
    const std::string name = count == 1 ? words[0] : words[0] + " " + words[1];
    if (command->name == name) found = {command, count};
  }
  return found;
}

// The commands that begin with `word` and have a second one, for a message.
std::string group_of(std::span<const Command* const> commands, const std::string& word) {
  std::string group;
  for (const Command* command : commands) {
    if (!command->name.starts_with(word + " ")) continue;
    group += (group.empty() ? "" : ", ") + ("'" + command->name + "'");
  }
  return group;
}

// A second word that belongs to no command of the first one's group, which takes no arguments.
bool wrong_second_word(const Found& found, std::span<const std::string> words) {
  return found.words == 1 && found.command->arguments_max == 0 && words.size() > 1 &&
         !words[1].empty() && words[1].front() != '-';
}

// Why no command is what the words name.
std::string unknown(std::span<const Command* const> commands, std::span<const std::string> words) {
  const std::string group = group_of(commands, words[0]);
  if (!group.empty() && words.size() > 1 && !words[1].starts_with('-')) {
    return "no such command '" + words[0] + " " + words[1] + "'; there is " + group;
  }
  if (!group.empty()) return "'" + words[0] + "' needs one more word: " + group;
  return "no such command '" + words[0] + "'; see '" + program().name + " --help'";
}

// The help of a first word that has several second ones.
std::string group_help(std::span<const Command* const> commands, const std::string& word) {
  std::string text = "Usage: " + program().name + " " + word + " COMMAND [options]\n\nCommands:\n";
  for (const Command* command : commands) {
    if (!command->name.starts_with(word + " ")) continue;
    text += padded("  " + command->name, kHelpColumn) + citing(command->summary) + "\n";
  }
  return text + "\nEach has --help.\n";
}

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h"; }

bool asks_for_json(std::span<const std::string> words, const Environment& environment) {
  const char* variable = environment("PASTRY_JSON");
  if (variable != nullptr &&
      (std::string_view(variable) == "1" || std::string_view(variable) == "true")) {
    return true;
  }
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::find(words.begin(), end, "--json") != end;
}

int run_command(const Command& command, std::span<const Command* const> commands,
                std::span<const std::string> words, const Environment& environment) {
  const bool json_on_error = asks_for_json(words, environment);
  const std::vector<OptionSpec> specs = with_common_options(command);
  const auto known_anywhere = [&](std::string_view name) {
    return std::any_of(commands.begin(), commands.end(), [&](auto* other) {
      const auto all = with_common_options(*other);
      return std::any_of(all.begin(), all.end(),
                         [&](const auto& spec) { return spec.name == name; });
    });
  };
  const auto known_section = [&](std::string_view section) {
    return std::any_of(commands.begin(), commands.end(), [&](auto* other) {
      std::string name = other->name;
      std::replace(name.begin(), name.end(), ' ', '-');
      return name == section;
    });
  };
  const Options::Grammar grammar{command.name,          specs,          command.arguments_min,
                                 command.arguments_max, known_anywhere, known_section};
  Result<Options> options = Options::parse(grammar, words, environment);
  if (!options) return report(command.name, options.error(), json_on_error);
  if (options->flag("help")) {
    return write_out(help(command)) ? 0 : static_cast<int>(Exit::failed);
  }
  Invocation invocation{command.name, std::move(*options)};
  invocation.json = invocation.options.flag("json");
  Reader reader(invocation.options);
  invocation.timeout = reader.duration("timeout");
  if (reader.error()) return report(command.name, *reader.error(), json_on_error);
  const Result<Exit> result = command.run(invocation);
  if (!result) return report(command.name, result.error(), invocation.json);
  return static_cast<int>(*result);
}

}  // namespace

std::vector<OptionSpec> with_common_options(const Command& command) {
  std::vector<OptionSpec> specs = command.options;
  specs.push_back({"json", 0, "", "machine-readable output"});
  specs.push_back({"timeout", 0, "SECONDS", command.timeout_help, command.timeout});
  specs.push_back({"config", 0, "FILE", "read options from this file"});
  specs.push_back({"help", 'h', "", "this text"});
  return specs;
}

std::vector<OptionSpec> node_options(std::vector<OptionSpec> own) {
  own.push_back(
      {"node", 0, "NODE",
       "node to talk to: id or its first digits, pid, or control socket (default: any of the "
       "only cluster or node that runs)"});
  own.push_back({"runtime-dir", 0, "DIR", "where running nodes are listed"});
  return own;
}

std::string help(const Command& command) {
  std::string text = "Usage: " + program().name + " " + command.name;
  if (!command.arguments.empty()) text += " " + command.arguments;
  text += " [options]\n\n" + citing(command.summary) + "\n";
  if (!command.details.empty()) text += "\n" + citing(command.details) + "\n";
  text += "\nOptions:\n";
  for (const OptionSpec& spec : with_common_options(command)) {
    std::string left = "  ";
    if (spec.letter != 0) left += std::string("-") + spec.letter + ", ";
    left += "--" + spec.name;
    if (!spec.value.empty()) left += " " + spec.value;
    text += padded(left, kHelpColumn) + spec.help;
    if (!spec.default_value.empty()) text += " [" + spec.default_value + "]";
    text += "\n";
  }
  text += "\nExample:\n  " + command_line(command.example) + "\n";
  return text;
}

std::string overview(std::span<const Command* const> commands) {
  std::string text =
      "Usage: " + program().name + " COMMAND [options]\n\n" + program().summary + "\n\nCommands:\n";
  for (const Command* command : commands) {
    text += padded("  " + command->name, kHelpColumn) + citing(command->summary) + "\n";
  }
  text +=
      "\nOptions come from flags, PASTRY_* in the environment, --config FILE, defaults, in this "
      "order.\nExit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 unavailable, 5 timed out, "
      "10 invariant violated.\n\nExample:\n  ";
  return text + program().example + "\n";
}

int dispatch(std::span<const Command* const> commands, std::span<const std::string> words,
             const Environment& environment) {
  if (words.size() > 1 && words[0] == "help") {
    std::vector<std::string> asked(words.begin() + 1, words.end());
    asked.emplace_back("--help");
    return dispatch(commands, asked, environment);
  }
  if (words.empty() || asks_for_help(words[0]) || words[0] == "help") {
    const bool asked = !words.empty();
    if (!asked) {
      write_error(overview(commands));
      return static_cast<int>(Exit::usage);
    }
    return write_out(overview(commands)) ? 0 : static_cast<int>(Exit::failed);
  }
  if (words[0] == "--version") {
    return write_out(program().name + " 0.1.0\n") ? 0 : static_cast<int>(Exit::failed);
  }
  const Found found = find_command(commands, words);
  if (found.command == nullptr && words.size() > 1 && asks_for_help(words[1]) &&
      !group_of(commands, words[0]).empty()) {
    return write_out(group_help(commands, words[0])) ? 0 : static_cast<int>(Exit::failed);
  }
  if (found.command == nullptr) {
    return report("", {ErrorCode::invalid, unknown(commands, words)},
                  asks_for_json(words, environment));
  }
  if (const std::string group = group_of(commands, words[0]);
      !group.empty() && wrong_second_word(found, words)) {
    return report(words[0],
                  {ErrorCode::invalid,
                   "no such command '" + words[0] + " " + words[1] + "'; there are " + group},
                  asks_for_json(words, environment));
  }
  try {
    return run_command(*found.command, commands, words.subspan(found.words), environment);
  } catch (const std::exception& error) {
    return report(found.command->name, {ErrorCode::failed, error.what()},
                  asks_for_json(words, environment));
  }
}

}  // namespace pastry::cli
