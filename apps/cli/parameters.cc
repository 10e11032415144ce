#include "apps/cli/parameters.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "pastry/core/parameters.h"

namespace pastry::cli {
namespace {

constexpr std::array<std::string_view, 3> kOwnOptions{"digit_bits", "leaf_set", "neighbourhood"};

std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t";
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  const std::size_t end = text.find_last_not_of(kBlanks);
  return end == std::string::npos ? "" : text.substr(begin, end + 1 - begin);
}

std::string with(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

}  // namespace

OptionSpec profile_option(std::string usual) {
  return {"profile", 0, "NAME", "timers: lan, regional, wan or test", std::move(usual)};
}

Config read_profile(Reader& reader) {
  constexpr std::array<Config (*)(), 4> kProfiles{Config::lan, Config::regional, Config::wan,
                                                  Config::test};
  return kProfiles[reader.choice("profile", {"lan", "regional", "wan", "test"})]();
}

OptionSpec parameter_option() {
  return {.name = "set",
          .value = "NAME=VALUE",
          .help = "a timer or bound of the profile, like lease=20s; several: with commas, or again",
          .repeatable = true};
}

void read_parameters(const Options& options, Reader& reader, Config& config) {
  for (const std::string& setting : options.list("set")) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      reader.note({ErrorCode::invalid, "--set takes NAME=VALUE, not '" + setting + "'"});
      continue;
    }
    const std::string name = with(trimmed(setting.substr(0, equals)), '-', '_');
    if (std::find(kOwnOptions.begin(), kOwnOptions.end(), name) != kOwnOptions.end()) {
      reader.note({ErrorCode::invalid,
                   "--set: " + name + " has an option of its own, --" + with(name, '_', '-')});
      continue;
    }
    const Result<void> set = set_parameter(config, name, trimmed(setting.substr(equals + 1)));
    if (!set) reader.note({ErrorCode::invalid, "--set: " + set.error().message});
  }
}

}  // namespace pastry::cli
