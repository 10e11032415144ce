// Same seed, same trace; other seed, another [DESIGN: simulator].
#include <doctest/doctest.h>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

std::uint64_t trace_of(std::uint64_t seed, bool encode, double loss) {
  SimulatorOptions options = TestRing::lan(seed);
  options.encode = encode;
  options.network.loss = loss;
  options.network.duplication = loss;
  TestRing ring(std::move(options));
  ring.grow(40);
  ring.look_up(50);
  ring->crash(NodeIndex{7});
  ring->pause(NodeIndex{9});
  ring->run_for(seconds(3));
  ring->resume(NodeIndex{9});
  ring->restart(NodeIndex{7});
  ring->leave(NodeIndex{3});
  ring->run_for(seconds(10));
  return ring->trace_hash();
}

}  // namespace

TEST_CASE("the same seed gives the same trace, another seed another") {
  const std::uint64_t first = trace_of(1, true, 0);
  CHECK(first == trace_of(1, true, 0));
  CHECK(first != trace_of(2, true, 0));
}

TEST_CASE("also without encoding and with faults") {
  CHECK(trace_of(1, false, 0) == trace_of(1, false, 0));
  const std::uint64_t lossy = trace_of(1, true, 0.02);
  CHECK(lossy == trace_of(1, true, 0.02));
  CHECK(lossy != trace_of(1, true, 0));
}

TEST_CASE("encoding changes nothing but the trace's bytes") {
  const auto messages = [](bool encode) {
    SimulatorOptions options = TestRing::lan(5);
    options.encode = encode;
    TestRing ring(std::move(options));
    ring.grow(60);
    ring.look_up(100);
    CHECK(ring->counters().drops == decltype(SimulatorCounters::drops){});
    return ring->counters().by_kind;
  };
  CHECK(messages(true) == messages(false));
}

}  // namespace pastry::sim
