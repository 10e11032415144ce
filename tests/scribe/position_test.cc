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

TEST_CASE("what is said is believed only as far as there is room above it") {
  const Position own{std::uint64_t{1'800'000'000} << kEpochLotBits, 7};
  CHECK(believable(own, {}));
  CHECK(believable({own.epoch + (std::uint64_t{1} << kEpochLotBits), 100'000}, own));
  // Of a clock that is a hundred years ahead.
  CHECK(believable({std::uint64_t{5'000'000'000} << kEpochLotBits, 1}, own));
  CHECK(believable({own.epoch, kOffsetsFree}, own));
  CHECK_FALSE(believable({own.epoch, 2 * kOffsetsFree}, own));
  CHECK_FALSE(believable({own.epoch + 1, kNumberMax - 1}, own));
  CHECK_FALSE(believable({kClaimMax - 1, 1}, own));
  CHECK_FALSE(believable({UINT64_MAX, UINT64_MAX}, own));

  // Somewhat above what is known, wherever that is; never beyond the last bound.
  const Position far{std::uint64_t{1} << 59, std::uint64_t{1} << 59};
  CHECK_FALSE(believable(far, own));
  CHECK(believable({far.epoch + (kCountsAhead << kEpochLotBits), far.offset + kOffsetsAhead}, far));
  CHECK_FALSE(believable({far.epoch + (kCountsAhead << (kEpochLotBits + 1)), far.offset}, far));
  CHECK_FALSE(believable({far.epoch, far.offset + 2 * kOffsetsAhead}, far));
  CHECK_FALSE(believable({kClaimMax, 1}, {kClaimMax, 1}));
  CHECK_FALSE(believable({1, kClaimMax}, {kClaimMax, kClaimMax}));
}

TEST_CASE("an epoch with no room above it is not gone on from") {
  pastry::Random random(5);
  const WallTime wall{1'800'000'000};
  const std::uint64_t last = kNumberMax / 2 - 1;
  CHECK(room_above({last, last}));
  CHECK_FALSE(room_above({last + 1, 0}));
  CHECK_FALSE(room_above({0, last + 1}));
  const std::uint64_t over = next_epoch(last, wall, random);
  CHECK(over > last);
  CHECK(over < kNumberMax);
  CHECK(count_of(next_epoch(over, wall, random)) == 1'800'000'000);
  CHECK(count_of(next_epoch(UINT64_MAX, wall, random)) == 1'800'000'000);
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
