#include "apps/cli/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <sstream>

#include "apps/cli/program.h"
#include "apps/cli/text_file.h"

namespace po = boost::program_options;

namespace pastry::cli {
namespace {

const OptionSpec* find_spec(std::span<const OptionSpec> specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const OptionSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

po::options_description description(std::span<const OptionSpec> specs) {
  po::options_description result;
  for (const OptionSpec& spec : specs) {
    std::string names = spec.name;
    if (spec.letter != 0) names += std::string(",") + spec.letter;
    if (spec.value.empty()) {
      result.add_options()(names.c_str(), "");
    } else {
      result.add_options()(names.c_str(), po::value<std::vector<std::string>>(), "");
    }
  }
  return result;
}

std::string variable_name(const std::string& option) {
  std::string name = "PASTRY_";
  for (const char c : option) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

Result<bool> parse_bool(const std::string& name, const std::string& text) {
  if (text == "1" || text == "true" || text == "yes" || text == "on") return true;
  if (text == "0" || text == "false" || text == "no" || text == "off" || text.empty()) return false;
  return fail(ErrorCode::invalid, name + " takes true or false, not '" + text + "'");
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// Whether the parser took the next option for the value of this one: a value of its own word that
// begins like an option (`--name=--x` says that it is one).
bool value_is_option(const Options::Grammar& grammar, const po::option& option) {
  if (option.original_tokens.size() < 2) return false;
  const std::string& word = option.original_tokens.back();
  if (word.size() < 2 || word[0] != '-') return false;
  return word[1] == '-' ||
         std::any_of(grammar.specs.begin(), grammar.specs.end(),
                     [&](const OptionSpec& spec) { return spec.letter == word[1]; });
}

// Of a text that parse_duration() refuses: whether only its number is to blame.
bool is_time_out_of_range(std::string_view text) {
  const std::size_t unit = std::min(text.find_first_not_of("0123456789.eE+-"), text.size());
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + unit, value);
  return code != std::errc::invalid_argument && end == text.data() + unit &&
         parse_duration("1" + std::string(text.substr(unit))).has_value();
}

using Values = std::map<std::string, std::vector<std::string>>;

Result<void> read_words(const Options::Grammar& grammar, std::span<const std::string> words,
                        Values& values, std::vector<std::string>& arguments) {
  const po::options_description options = description(grammar.specs);
  try {
    const po::parsed_options parsed =
        po::command_line_parser(std::vector<std::string>(words.begin(), words.end()))
            .options(options)
            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
            .allow_unregistered()
            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key != -1) {
        arguments.insert(arguments.end(), option.value.begin(), option.value.end());
        continue;
      }
      if (option.unregistered) {
        return fail(ErrorCode::invalid, "unknown option '" + option.original_tokens.front() + "'");
      }
      const OptionSpec* spec = find_spec(grammar.specs, option.string_key);
      std::vector<std::string>& known = values[option.string_key];
      if (spec->value.empty()) {
        known = {"true"};
        continue;
      }
      if (value_is_option(grammar, option)) {
        return fail(ErrorCode::invalid,
                    "the required argument for option '--" + spec->name + "' is missing");
      }
      const std::vector<std::string>& given = option.value;
      const bool empty =
          std::any_of(given.begin(), given.end(), [](const auto& word) { return word.empty(); });
      // --set "" stands for none, whatever PASTRY_SET says.
      if (empty && !spec->repeatable) {
        return fail(ErrorCode::invalid, "option '--" + spec->name + "' has an empty value");
      }
      if (!known.empty() && !spec->repeatable) {
        return fail(ErrorCode::invalid, "option '--" + spec->name + "' is given more than once");
      }
      known.insert(known.end(), option.value.begin(), option.value.end());
    }
  } catch (const po::error& error) {
    return fail(ErrorCode::invalid, error.what());
  }
  return {};
}

Result<void> add_value(const OptionSpec& spec, const std::string& source, const std::string& value,
                       Values& values) {
  if (values.contains(spec.name)) return {};
  if (spec.value.empty()) {
    const Result<bool> on = parse_bool(source, value);
    if (!on) return tl::unexpected<Error>(on.error());
    if (*on) values[spec.name] = {"true"};
    return {};
  }
  values[spec.name] = {value};
  return {};
}

Result<void> read_environment(const Options::Grammar& grammar, const Environment& environment,
                              Values& values) {
  for (const OptionSpec& spec : grammar.specs) {
    const std::string name = variable_name(spec.name);
    const char* value = environment(name);
    if (value == nullptr || spec.name == "help") continue;
    if (auto added = add_value(spec, name, value, values); !added) return added;
  }
  return {};
}

Result<void> read_file(const Options::Grammar& grammar, const std::string& path, Values& values) {
  const Result<std::string> text = read_text_file(path);
  if (!text) return fail(ErrorCode::invalid, "--config: " + text.error().message);
  std::istringstream file(*text);
  std::string section = grammar.command + ".";
  std::replace(section.begin(), section.end(), ' ', '-');
  try {
    const po::options_description none;
    const auto parsed = po::parse_config_file(file, none, true);
    for (const bool of_section : {true, false}) {
      Values found;
      for (const auto& option : parsed.options) {
        std::string name = option.string_key;
        const std::size_t dot = name.find('.');
        if ((dot != std::string::npos) != of_section) continue;
        if (of_section) {
          const bool mine = name.starts_with(section);
          if (!mine && !grammar.known_section(name.substr(0, dot))) {
            return fail(ErrorCode::invalid,
                        "config file '" + path + "': no command has a section [" +
                            name.substr(0, dot) + "]; it is written [put], or [sim-route]");
          }
          name = name.substr(dot + 1);
          if (!mine && grammar.known_anywhere(name)) continue;
        }
        const OptionSpec* spec = find_spec(grammar.specs, name);
        if (spec == nullptr) {
          if (!of_section && grammar.known_anywhere(name)) continue;
          return fail(ErrorCode::invalid,
                      "config file '" + path + "': unknown option '" + option.string_key + "'");
        }
        if (found.contains(name) && !spec->repeatable) {
          return fail(ErrorCode::invalid, "config file '" + path + "': '" + option.string_key +
                                              "' is given more than once");
        }
        Values line;
        const std::string value = option.value.empty() ? "" : option.value.front();
        if (auto added = add_value(*spec, path + ": " + name, value, line); !added) return added;
        for (const std::string& word : line[name]) found[name].push_back(word);
      }
      for (auto& [name, words] : found) {
        if (!words.empty()) values.emplace(name, std::move(words));
      }
    }
  } catch (const po::error& error) {
    return fail(ErrorCode::invalid, "config file '" + path + "': " + error.what());
  }
  return {};
}

}  // namespace

Result<Options> Options::parse(const Grammar& grammar, std::span<const std::string> words,
                               const Environment& environment) {
  Options options;
  for (const OptionSpec& spec : grammar.specs) {
    if (!spec.value.empty()) options.defaults_[spec.name] = spec.default_value;
  }
  if (auto read = read_words(grammar, words, options.values_, options.arguments_); !read) {
    return tl::unexpected<Error>(read.error());
  }
  if (options.flag("help")) return options;
  if (auto read = read_environment(grammar, environment, options.values_); !read) {
    return tl::unexpected<Error>(read.error());
  }
  if (options.given("config")) {
    if (auto read = read_file(grammar, options.text("config"), options.values_); !read) {
      return tl::unexpected<Error>(read.error());
    }
  }
  if (options.arguments_.size() < grammar.arguments_min) {
    return fail(ErrorCode::invalid, "an argument is missing; see '" + program().name + " " +
                                        grammar.command + " --help'");
  }
  if (options.arguments_.size() > grammar.arguments_max) {
    return fail(ErrorCode::invalid,
                "unexpected argument '" + options.arguments_[grammar.arguments_max] + "'");
  }
  return options;
}

bool Options::flag(const std::string& name) const { return values_.contains(name); }

bool Options::given(const std::string& name) const { return values_.contains(name); }

std::string Options::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    const auto fallback = defaults_.find(name);
    return fallback == defaults_.end() ? std::string() : fallback->second;
  }
  std::string joined;
  for (const std::string& value : found->second) {
    if (!joined.empty()) joined += ',';
    joined += value;
  }
  return joined;
}

std::vector<std::string> Options::list(const std::string& name) const { return split(text(name)); }

void Options::set_default(const std::string& name, const std::string& value) {
  const auto found = defaults_.find(name);
  if (found != defaults_.end()) found->second = value;
}

std::vector<std::pair<std::string, std::string>> Options::all() const {
  std::map<std::string, std::string> merged = defaults_;
  for (const auto& [name, values] : values_) merged[name] = text(name);
  return {merged.begin(), merged.end()};
}

std::int64_t Reader::integer(const std::string& name, std::int64_t min, std::int64_t max) {
  const std::string text = options_->text(name);
  const auto value = parse_integer(text);
  if (!value || *value < min || *value > max) {
    note({ErrorCode::invalid, "--" + name + " takes a number from " + std::to_string(min) + " to " +
                                  std::to_string(max) + ", not '" + text + "'"});
    return min;
  }
  return *value;
}

Duration Reader::duration(const std::string& name) {
  const auto value = parse_duration(options_->text(name));
  if (!value) {
    const std::string text = options_->text(name);
    note({ErrorCode::invalid,
          "--" + name +
              (is_time_out_of_range(text)
                   ? " takes a time from 0 to 277777h (31 years)"
                   : " takes a number with ms, s, min (or m) or h, without a unit seconds, like "
                     "500ms or 1.5s") +
              ", not '" + text + "'"});
    return {};
  }
  return *value;
}

std::size_t Reader::choice(const std::string& name, std::initializer_list<std::string_view> words) {
  const std::string text = options_->text(name);
  std::string all;
  std::size_t index = 0;
  for (const std::string_view word : words) {
    if (word == text) return index;
    if (index++ > 0) all += ", ";
    all += word;
  }
  note({ErrorCode::invalid, "--" + name + " takes one of " + all + ", not '" + text + "'"});
  return 0;
}

void Reader::note(Error error) {
  if (!error_) error_ = std::move(error);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace pastry::cli
