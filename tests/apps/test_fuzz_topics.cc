// Random runs with topics on the nodes: seeds that showed defects, and that a seed decides all.
#include <doctest/doctest.h>

#include "apps/sim/fuzz_guests.h"
#include "pastry/sim/fuzz/plan.h"
#include "pastry/sim/fuzz/run.h"

using namespace pastry;

namespace {

sim::fuzz::RunResult run_with_topics(std::uint64_t seed) {
  sim::fuzz::Plan plan = sim::fuzz::make_plan(seed);
  plan.files = false;
  plan.topics = true;
  sim::fuzz::RunOptions options;
  options.guests = cli::fuzz_guests();
  return sim::fuzz::run(plan, options);
}

void check_clean(std::initializer_list<std::uint64_t> seeds) {
  for (const std::uint64_t seed : seeds) {
    CAPTURE(seed);
    const sim::fuzz::RunResult result = run_with_topics(seed);
    if (result.violation) {
      FAIL_CHECK(result.violation->rule << ": " << result.violation->what);
    }
    CHECK(result.guests.at("messages_published") > 0);
  }
}

}  // namespace

TEST_CASE("parts of a healed tree whose roots used the same positions lose nothing after it") {
  check_clean({19, 51, 164, 165, 321, 338, 413});
}

TEST_CASE("a new root reports what only the former root gave out as a gap") { check_clean({125}); }

TEST_CASE("a rewind for a child brings a late subscriber nothing from before its time") {
  check_clean({91});
}

TEST_CASE("what a node sent in an earlier life gets no answer") { check_clean({101}); }

TEST_CASE("a seed decides what topics do") {
  const sim::fuzz::RunResult first = run_with_topics(2);
  const sim::fuzz::RunResult again = run_with_topics(2);
  CHECK(first.trace_hash == again.trace_hash);
  CHECK(first.guests == again.guests);
}
