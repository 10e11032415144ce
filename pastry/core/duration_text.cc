#include "pastry/core/duration_text.h"

#include <charconv>
#include <cmath>

namespace pastry {

Result<Duration> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double scale = unit.empty() || unit == "s"    ? 1e9
                       : unit == "ms"                 ? 1e6
                       : unit == "min" || unit == "m" ? 60e9
                       : unit == "h"                  ? 3600e9
                                                      : -1;
  constexpr double kLongest = 1e18;  // some 31 years, in nanoseconds
  if (code != std::errc() || scale < 0 || !(value >= 0) || !(value * scale <= kLongest)) {
    return fail(ErrorCode::invalid, "not a time: '" + std::string(text) + "'");
  }
  return Duration(static_cast<std::int64_t>(std::llround(value * scale)));
}

std::string duration_text(Duration duration) {
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms != 0 && ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms != 0 && ms % 60'000 == 0) return std::to_string(ms / 60'000) + "min";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  if (ms < 1000) return std::to_string(ms) + "ms";
  std::string fraction = std::to_string(ms % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  while (fraction.back() == '0') fraction.pop_back();
  return std::to_string(ms / 1000) + "." + fraction + "s";
}

}  // namespace pastry
