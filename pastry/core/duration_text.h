// Times as people write them: "250ms", "90s", "1.5" (seconds), "30min" or "30m", "2h".
#pragma once

#include <string>
#include <string_view>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"

namespace pastry {

// Error: invalid, with the text; negative times and those of more than some 31 years are refused.
Result<Duration> parse_duration(std::string_view text);

// The shortest of the forms above that is exact to the millisecond: "1.5s", "30min", "250ms".
std::string duration_text(Duration duration);

}  // namespace pastry
