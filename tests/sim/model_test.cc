// The model checker on rings of two and three nodes: every order of events, exhaustively.
#include <doctest/doctest.h>

#include "pastry/sim/model/explorer.h"
#include "pastry/sim/model/world.h"

namespace pastry::sim::model {

namespace {

void check_exhaustively(std::size_t nodes, bool crash) {
  for (const Scenario& scenario : scenarios(nodes, crash)) {
    CAPTURE(scenario.name);
    ExplorerOptions options;
    options.scenario = scenario;
    options.states_max = 3'000'000;
    const ModelReport report = explore(options);
    CHECK_MESSAGE(report.violation.empty(), report.violation);
    CHECK(report.complete);
    CHECK(report.states > 10);
    CHECK(report.ends > 0);
  }
}

}  // namespace

TEST_CASE("two nodes: a join, a restart, a crash") {
  check_exhaustively(2, false);
  check_exhaustively(2, true);
}

TEST_CASE("three nodes: joins together and one after the other, a restart") {
  check_exhaustively(3, false);
}

TEST_CASE("three nodes: the same with one crash at any moment") { check_exhaustively(3, true); }

TEST_CASE("the same message of another sender is another input") {
  const Message message = Seek{Handle{7}, 0};
  CHECK(digest_of(Handle{1}, message) == digest_of(Handle{1}, message));
  CHECK(digest_of(Handle{1}, message) != digest_of(Handle{2}, message));
  CHECK(digest_of(Handle{1}, message) != digest_of(Handle{1}, Seek{Handle{7}, 1}));
}

TEST_CASE("a bound is kept and said") {
  ExplorerOptions options;
  options.scenario = scenarios(3, false).front();
  options.states_max = 100;
  const ModelReport report = explore(options);
  CHECK(report.states <= 100);
  CHECK_FALSE(report.complete);
}

}  // namespace pastry::sim::model
