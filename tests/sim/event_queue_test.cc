#include "pastry/sim/event_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "pastry/core/random.h"

namespace pastry::sim {

TEST_CASE("events come in the order of time, ties in the order of insertion") {
  Random random(1);
  EventQueue queue;
  std::vector<std::pair<Time, std::uint32_t>> expected;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Time at{Duration(static_cast<std::int64_t>(random.below(200)))};
    queue.push(at, EventKind::action, i);
    expected.emplace_back(at, i);
  }
  std::stable_sort(expected.begin(), expected.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [at, subject] : expected) {
    const Event event = queue.pop();
    REQUIRE(event.at == at);
    REQUIRE(event.subject == subject);
  }
  CHECK(queue.empty());
}

TEST_CASE("pushing and popping may be mixed") {
  Random random(2);
  EventQueue queue;
  Time now{};
  for (int round = 0; round < 20000; ++round) {
    if (queue.empty() || random.below(2) == 0) {
      queue.push(now + Duration(static_cast<std::int64_t>(random.below(1000))), EventKind::deadline,
                 0);
    } else {
      const Event event = queue.pop();
      REQUIRE(event.at >= now);
      now = event.at;
    }
  }
}

}  // namespace pastry::sim
