// The TOPIC argument of pub, sub and topic.
#pragma once

#include <string>

#include "pastry/core/error.h"
#include "scribe/scribe.h"

namespace pastry::cli {

// Error: invalid.
inline Result<std::string> parse_topic(const std::string& text) {
  if (!text.empty() && text.size() <= scribe::kTopicNameMax) return text;
  return fail(ErrorCode::invalid,
              "a topic's name has 1 to " + std::to_string(scribe::kTopicNameMax) + " bytes");
}

}  // namespace pastry::cli
