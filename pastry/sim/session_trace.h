// Who is there when, from a text: the sessions of real or invented users.
//
// One session per line: NODE START END, separated by blanks. NODE is any word; the same word is the
// same node coming back, under the same id. START and END are times since the beginning ("90s",
// "1.5h", plain numbers are seconds); END may be "-": it stays. Sessions that start at 0 are there
// before counting begins. Lines that are empty or begin with # are skipped. The sessions of one
// node must not overlap.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"

namespace pastry::sim {

struct Session {
  std::uint32_t node = 0;  // numbered in the order of first mention
  Duration start{};
  Duration end{};  // Duration::max(): to the end
};

struct SessionTrace {
  std::vector<Session> sessions;  // in the order of their start
  std::uint32_t nodes = 0;        // different ones

  bool empty() const { return sessions.empty(); }
  // Those that start at 0.
  std::size_t initial() const;
};

// `name` stands for the text in errors: "NAME:LINE: what is wrong" (invalid).
Result<SessionTrace> parse_session_trace(std::string_view text, const std::string& name);

}  // namespace pastry::sim
