#include "pastry/sim/event_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "pastry/core/config.h"
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

TEST_CASE("a random mix of near and far events comes out like from a sorted list") {
  // From nanoseconds to years, so that every wheel, and what lies beyond them, is used.
  Random random(3);
  EventQueue queue;
  std::multimap<Time, std::uint32_t> model;  // equal keys keep the order of insertion
  Time now{std::chrono::hours(1)};
  for (std::uint32_t i = 0; i < 200000; ++i) {
    if (model.empty() || random.below(9) < 5) {
      const std::uint64_t span = std::uint64_t{1} << random.below(56);
      const Time at = now + Duration(static_cast<std::int64_t>(random.below(span)));
      queue.push(at, EventKind::action, i);
      model.emplace(at, i);
    } else {
      REQUIRE(queue.top().at == model.begin()->first);
      const Event event = queue.pop();
      REQUIRE(event.subject == model.begin()->second);
      now = event.at;
      model.erase(model.begin());
    }
    REQUIRE(queue.size() == model.size());
    if (i % 50000 == 49999) queue.shrink();
  }
  while (!model.empty()) {
    REQUIRE(queue.pop().subject == model.begin()->second);
    model.erase(model.begin());
  }
  CHECK(queue.empty());
}

TEST_CASE("what is pushed behind the present time comes next, and every event is visited") {
  EventQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) queue.push(Time(seconds(i)), EventKind::action, i);
  CHECK(queue.pop().subject == 0);
  CHECK(queue.top().subject == 1);  // the queue has moved to the first second
  queue.push(Time(milliseconds(1)), EventKind::action, 1000);
  CHECK(queue.pop().subject == 1000);
  std::uint64_t sum = 0;
  queue.for_each([&sum](Event& event) { sum += event.subject++; });
  CHECK(sum == 99 * 100 / 2);
  CHECK(queue.pop().subject == 2);
}

TEST_CASE("events of the next ticks are known early, and others still come between them") {
  EventQueue queue;
  const auto at = [](std::int64_t tenths) { return Time(std::chrono::microseconds(100 * tenths)); };
  for (std::uint32_t i = 0; i < 10; ++i) queue.push(at(2 * i), EventKind::action, 2 * i);
  CHECK(queue.pop().subject == 0);
  REQUIRE(queue.peek(4) != nullptr);
  CHECK(queue.peek(4)->subject == 10);
  for (std::uint32_t i = 1; i < 20; i += 2) queue.push(at(i), EventKind::action, i);
  queue.push(at(4), EventKind::action, 100);  // behind its equal
  for (std::uint32_t i = 1; i < 20; ++i) {
    REQUIRE(queue.pop().subject == i);
    if (i == 4) CHECK(queue.pop().subject == 100);
  }
  CHECK(queue.empty());
  CHECK(queue.peek(0) == nullptr);
}

}  // namespace pastry::sim
