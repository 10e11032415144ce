#include "pastry/core/parameters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <type_traits>
#include <variant>

#include "pastry/core/duration_text.h"

namespace pastry {
namespace {

struct Parameter {
  std::string_view name;
  std::variant<Duration Config::*, int Config::*, std::size_t Config::*> field;
};

constexpr std::array kParameters{
    Parameter{"heartbeat_period", &Config::heartbeat_period},
    Parameter{"probe_timeout", &Config::probe_timeout},
    Parameter{"probe_retries", &Config::probe_retries},
    Parameter{"failed_memory", &Config::failed_memory},
    Parameter{"failed_max", &Config::failed_max},
    Parameter{"flip_memory", &Config::flip_memory},
    Parameter{"relay_retry_period", &Config::relay_retry_period},
    Parameter{"lease", &Config::lease},
    Parameter{"rto_initial", &Config::rto_initial},
    Parameter{"rto_min", &Config::rto_min},
    Parameter{"rto_max", &Config::rto_max},
    Parameter{"hop_attempts", &Config::hop_attempts},
    Parameter{"unacknowledged_max", &Config::unacknowledged_max},
    Parameter{"hops_max", &Config::hops_max},
    Parameter{"duplicate_memory", &Config::duplicate_memory},
    Parameter{"duplicate_max", &Config::duplicate_max},
    Parameter{"join_retry_min", &Config::join_retry_min},
    Parameter{"join_retry_max", &Config::join_retry_max},
    Parameter{"gap_batch", &Config::gap_batch},
    Parameter{"gap_queue_max", &Config::gap_queue_max},
    Parameter{"gap_expiry", &Config::gap_expiry},
    Parameter{"inactive_buffer_max", &Config::inactive_buffer_max},
    Parameter{"leaf_exchange_period", &Config::leaf_exchange_period},
    Parameter{"table_upkeep_period", &Config::table_upkeep_period},
    Parameter{"table_settle_period", &Config::table_settle_period},
    Parameter{"table_probe_period_max", &Config::table_probe_period_max},
    Parameter{"table_loss_percent", &Config::table_loss_percent},
    Parameter{"reunion_period", &Config::reunion_period},
    Parameter{"reunion_memory", &Config::reunion_memory},
    Parameter{"jitter_percent", &Config::jitter_percent},
    Parameter{"route_deadline", &Config::route_deadline},
    Parameter{"pending_max", &Config::pending_max},
};

const Parameter* find(std::string_view name) {
  const auto found = std::find_if(kParameters.begin(), kParameters.end(),
                                  [&](const Parameter& known) { return known.name == name; });
  return found == kParameters.end() ? nullptr : &*found;
}

std::string known_names() {
  std::string names;
  for (const Parameter& known : kParameters) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

Result<void> parse(std::string_view text, Duration& value) {
  const Result<Duration> parsed = parse_duration(text);
  if (!parsed) return tl::unexpected(parsed.error());
  value = *parsed;
  return {};
}

template <typename Number>
Result<void> parse(std::string_view text, Number& value) {
  Number parsed{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (code != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorCode::invalid, "not a whole number in range: '" + std::string(text) + "'");
  }
  value = parsed;
  return {};
}

}  // namespace

std::vector<std::string_view> parameter_names() {
  std::vector<std::string_view> names;
  names.reserve(kParameters.size());
  for (const Parameter& known : kParameters) names.push_back(known.name);
  return names;
}

Result<void> set_parameter(Config& config, std::string_view name, std::string_view value) {
  const Parameter* parameter = find(name);
  if (parameter == nullptr) {
    return fail(ErrorCode::invalid,
                "no parameter is called '" + std::string(name) + "'; there are " + known_names());
  }
  const Result<void> parsed =
      std::visit([&](auto field) { return parse(value, config.*field); }, parameter->field);
  if (parsed) return {};
  return fail(ErrorCode::invalid, std::string(name) + ": " + parsed.error().message);
}

std::string parameter_text(const Config& config, std::string_view name) {
  const Parameter* parameter = find(name);
  if (parameter == nullptr) return {};
  return std::visit(
      [&](auto field) -> std::string {
        const auto& value = config.*field;
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Duration>) {
          return duration_text(value);
        } else {
          return std::to_string(value);
        }
      },
      parameter->field);
}

}  // namespace pastry
