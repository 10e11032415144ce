#include <array>
#include <charconv>

#include "proximity/places.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

struct Unit {
  std::string_view suffix;
  std::int64_t nanoseconds;
};

constexpr std::array<Unit, 4> kUnits{
    {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}}};

}  // namespace

tl::expected<nanoseconds, std::string> parse_delay(std::string_view text) {
  const auto complaint = [&] {
    return tl::unexpected<std::string>(
        "a delay is a whole number with ns, us, ms or s, at most 60s (such as 50ms), not \"" +
        std::string(text.substr(0, 40)) + "\"");
  };
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count < 0) return complaint();
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : kUnits) {
    if (suffix != unit.suffix) continue;
    if (count > kLongestDelay.count() / unit.nanoseconds) return complaint();
    return nanoseconds(count * unit.nanoseconds);
  }
  return complaint();
}

std::string delay_text(nanoseconds delay) {
  const Unit* unit = &kUnits.front();
  for (const Unit& candidate : kUnits) {
    if (delay.count() % candidate.nanoseconds == 0) unit = &candidate;
  }
  return std::to_string(delay.count() / unit->nanoseconds) + std::string(unit->suffix);
}

}  // namespace proximity
