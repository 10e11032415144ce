// The epochs that roots choose.
#include "scribe/position.h"

#include <doctest/doctest.h>

#include <set>

using namespace scribe;
using pastry::WallTime;

namespace {

std::uint64_t count_of(std::uint64_t epoch) { return epoch >> kEpochLotBits; }

}  // namespace

TEST_CASE("an epoch counts seconds, and is above what it shall be above whatever the clock says") {
  pastry::Random random(1);
  const std::uint64_t now = 1'800'000'000;
  const WallTime wall{static_cast<std::int64_t>(now)};
  CHECK(count_of(next_epoch(0, wall, random)) == now);
  const std::uint64_t later = (now + 86'400) << kEpochLotBits | 77;
  CHECK(count_of(next_epoch(later, wall, random)) == now + 86'401);
  std::uint64_t epoch = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t next = next_epoch(epoch, wall, random);
    CHECK(next > epoch);
    epoch = next;
  }
  CHECK(count_of(epoch) == now + 999);
}

TEST_CASE("a clock that stands nowhere near the time does no harm") {
  pastry::Random random(2);
  CHECK(count_of(next_epoch(0, {INT64_MIN}, random)) == 1);
  CHECK(count_of(next_epoch(0, {-1}, random)) == 1);
  CHECK(count_of(next_epoch(0, {INT64_MAX}, random)) == kClockMax);
  const std::uint64_t far = next_epoch(0, {INT64_MAX}, random);
  CHECK(next_epoch(far, {INT64_MAX}, random) > far);
  CHECK(far < kNumberMax);
  // As a double, which is what many readers of JSON have.
  CHECK(static_cast<std::uint64_t>(static_cast<double>(far)) == far);
}

TEST_CASE("epochs chosen in the same second differ") {
  pastry::Random one(3);
  pastry::Random other(4);
  std::set<std::uint64_t> epochs;
  for (int i = 0; i < 100; ++i) {
    epochs.insert(next_epoch(5, {1'800'000'000}, one));
    epochs.insert(next_epoch(5, {1'800'000'000}, other));
  }
  CHECK(epochs.size() >= 199);
}
