#include "pastry/sim/scenario/scenario_words.h"

#include <algorithm>
#include <charconv>

#include "pastry/core/duration_text.h"

namespace pastry::sim {

std::string_view ScenarioWords::next() {
  if (words_.empty()) return {};
  const std::string_view word = words_.front();
  words_ = words_.subspan(1);
  return word;
}

bool ScenarioWords::take(std::string_view word) {
  if (words_.empty() || words_.front() != word) return false;
  words_ = words_.subspan(1);
  return true;
}

std::string ScenarioWords::text() const {
  std::string text;
  for (const std::string_view word : words_) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

tl::unexpected<Error> ScenarioWords::wrong(std::string what) const {
  // It may cite a file that is no text at all, on a terminal.
  constexpr std::size_t kShown = 200;
  if (what.size() > kShown) what.replace(kShown, std::string::npos, "...");
  std::replace_if(
      what.begin(), what.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return fail(ErrorCode::invalid, place_ + ": " + what);
}

Result<Duration> ScenarioWords::duration_of(std::string_view text) const {
  const Result<Duration> time = parse_duration(text);
  if (!time) return wrong(text.empty() ? "a time is missing" : time.error().message);
  return time;
}

Result<double> ScenarioWords::number_of(std::string_view text, double min, double max) const {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    return wrong(text.empty() ? "a number is missing"
                              : "not a number: '" + std::string(text) + "'");
  }
  if (!(value >= min && value <= max)) return wrong("out of range: '" + std::string(text) + "'");
  return value;
}

Result<std::size_t> ScenarioWords::integer(std::size_t min, std::size_t max) {
  const std::string_view text = next();
  std::size_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    return wrong(text.empty() ? "a number is missing"
                              : "not a number: '" + std::string(text) + "'");
  }
  if (value < min || value > max) {
    return wrong("'" + std::string(text) + "' is not between " + std::to_string(min) + " and " +
                 std::to_string(max));
  }
  return value;
}

Result<double> ScenarioWords::percent() {
  std::string_view text = next();
  if (!text.ends_with('%')) return wrong("a share is written like 99.9%");
  text.remove_suffix(1);
  const auto value = number_of(text, 0, 100);
  if (!value) return value;
  return *value / 100;
}

Result<Amount> ScenarioWords::amount() {
  if (take("all")) return Amount{.share = 1.0};
  if (take("half")) return Amount{.share = 0.5};
  if (!words_.empty() && words_.front().ends_with('%')) {
    const auto share = percent();
    if (!share) return tl::unexpected(share.error());
    return Amount{.share = *share};
  }
  const auto number = integer(1, 1'000'000);
  if (!number) return tl::unexpected(number.error());
  return Amount{.number = *number};
}

Result<std::uint64_t> ScenarioWords::bytes() {
  std::string_view text = next();
  std::uint64_t scale = 1;
  for (const auto& [unit, factor] :
       {std::pair<std::string_view, std::uint64_t>{"KiB", 1 << 10}, {"MiB", 1 << 20}}) {
    if (!text.ends_with(unit)) continue;
    text.remove_suffix(unit.size());
    scale = factor;
    break;
  }
  const auto value = number_of(text, 0, 1e9);
  if (!value) return tl::unexpected(value.error());
  return static_cast<std::uint64_t>(*value) * scale;
}

}  // namespace pastry::sim
