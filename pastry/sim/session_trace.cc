#include "pastry/sim/session_trace.h"

#include <algorithm>
#include <map>

#include "pastry/core/duration_text.h"
#include "pastry/sim/text_lines.h"

namespace pastry::sim {

namespace {

// More than any simulation could run.
constexpr std::size_t kSessionsMax = 10'000'000;

Result<void> check_overlaps(const std::vector<Session>& sessions, const std::string& name) {
  std::map<std::uint32_t, Duration> ends;
  for (const Session& session : sessions) {
    const auto [last, fresh] = ends.emplace(session.node, session.end);
    if (!fresh && session.start < last->second) {
      return fail(ErrorCode::invalid,
                  name + ": sessions of one node overlap at " + duration_text(session.start));
    }
    last->second = session.end;
  }
  return {};
}

}  // namespace

std::size_t SessionTrace::initial() const {
  return static_cast<std::size_t>(
      std::count_if(sessions.begin(), sessions.end(),
                    [](const Session& session) { return session.start == Duration::zero(); }));
}

Result<SessionTrace> parse_session_trace(std::string_view text, const std::string& name) {
  SessionTrace trace;
  std::map<std::string, std::uint32_t, std::less<>> numbers;
  for (const TextLine& line : text_lines(text)) {
    const auto wrong = [&](const std::string& what) {
      return fail(ErrorCode::invalid, name + ":" + std::to_string(line.number) + ": " + what);
    };
    if (line.words.size() != 3) return wrong("a session is NODE START END");
    if (trace.sessions.size() == kSessionsMax) return wrong("more than 10 million sessions");
    const Result<Duration> start = parse_duration(line.words[1]);
    if (!start) return wrong(start.error().message);
    Duration end = Duration::max();
    if (line.words[2] != "-") {
      const Result<Duration> given = parse_duration(line.words[2]);
      if (!given) return wrong(given.error().message);
      end = *given;
    }
    if (end <= *start) return wrong("the session ends before it starts");
    const auto [number, fresh] =
        numbers.emplace(std::string(line.words[0]), static_cast<std::uint32_t>(numbers.size()));
    trace.sessions.push_back({number->second, *start, end});
  }
  trace.nodes = static_cast<std::uint32_t>(numbers.size());
  if (trace.empty()) return fail(ErrorCode::invalid, name + ": no sessions");
  std::stable_sort(trace.sessions.begin(), trace.sessions.end(),
                   [](const Session& a, const Session& b) { return a.start < b.start; });
  if (trace.initial() == 0) return fail(ErrorCode::invalid, name + ": no session starts at 0");
  if (auto checked = check_overlaps(trace.sessions, name); !checked) {
    return tl::unexpected(checked.error());
  }
  return trace;
}

}  // namespace pastry::sim
