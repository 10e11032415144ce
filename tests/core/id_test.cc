#include "pastry/core/id.h"

#include <doctest/doctest.h>

#include <initializer_list>

#include "pastry/core/random.h"

using namespace pastry;

namespace {

const Id kZero{};
const Id kLast{UINT64_MAX, UINT64_MAX};

// The bits of a digit collected one by one.
int slow_digit(const Id& id, int row, int b) {
  int value = 0;
  for (int bit = row * b; bit < (row + 1) * b && bit < Id::kBits; ++bit) {
    const std::uint64_t word = bit < 64 ? id.high() : id.low();
    value = value * 2 + static_cast<int>((word >> (63 - bit % 64)) & 1);
  }
  return value;
}

}  // namespace

TEST_CASE("id: hexadecimal text and back") {
  const Id id{0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  CHECK(id.hex() == "0123456789abcdeffedcba9876543210");
  CHECK(Id::parse(id.hex()).value() == id);
  CHECK(Id::parse("0123456789ABCDEFFEDCBA9876543210").value() == id);
  CHECK(kZero.hex() == std::string(32, '0'));
  CHECK(Id::parse(std::string(32, 'f')).value() == kLast);
}

TEST_CASE("id: anything but 32 hexadecimal digits is invalid") {
  for (const std::string& text :
       {std::string(), std::string(31, '0'), std::string(33, '0'), std::string(31, '0') + "g",
        "0x" + std::string(30, '0'), std::string(31, '0') + " ", std::string(100000, 'z')}) {
    const Result<Id> id = Id::parse(text);
    REQUIRE_FALSE(id);
    CHECK(id.error().code == ErrorCode::invalid);
    CHECK(id.error().message.size() < 200);
    CHECK(id.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("id: arithmetic wraps at 2^128") {
  CHECK(kLast + Id(0, 1) == kZero);
  CHECK(kZero - Id(0, 1) == kLast);
  CHECK(Id(0, UINT64_MAX) + Id(0, 1) == Id(1, 0));
  CHECK(Id(1, 0) - Id(0, 1) == Id(0, UINT64_MAX));
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const Id a = random.id();
    const Id b = random.id();
    CHECK(a + b - b == a);
    CHECK(clockwise_distance(a, b) + clockwise_distance(b, a) == kZero);
  }
}

TEST_CASE("Pastry 2: distance is the shorter way around the ring") {
  CHECK(ring_distance(kZero, kLast) == Id(0, 1));
  CHECK(ring_distance(kLast, Id(0, 4)) == Id(0, 5));
  CHECK(ring_distance(kZero, Id(1ULL << 63, 0)) == Id(1ULL << 63, 0));
  CHECK(clockwise_distance(kZero, kLast) == kLast);
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const Id a = random.id();
    const Id b = random.id();
    CHECK(ring_distance(a, b) == ring_distance(b, a));
    CHECK(ring_distance(a, a) == kZero);
    CHECK(ring_distance(a, b) <= Id(1ULL << 63, 0));
  }
}

TEST_CASE("Pastry 2: of two distinct ids exactly one is closer to a key, also at equal distance") {
  CHECK(closer(Id(0, 10), Id(0, 9), Id(0, 11)));
  CHECK_FALSE(closer(Id(0, 10), Id(0, 11), Id(0, 9)));
  CHECK_FALSE(closer(Id(0, 10), Id(0, 9), Id(0, 9)));
  // The other way around 0: the numerically smaller one.
  CHECK(closer(kZero, Id(0, 1), kLast));
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const Id key = random.id();
    const Id step = random.id();
    const Id a = key + step;
    const Id b = key - step;
    CHECK(closer(key, a, b) != closer(key, b, a));
  }
}

TEST_CASE("Pastry 2: digits of base 2^b, b = 1 … 8, also where b does not divide 128") {
  Random random(4);
  for (int b = 1; b <= 8; ++b) {
    CAPTURE(b);
    CHECK(digit_count(b) == (128 + b - 1) / b);
    for (int i = 0; i < 100; ++i) {
      const Id id = i == 0 ? kZero : i == 1 ? kLast : random.id();
      for (int row = 0; row < digit_count(b); ++row) {
        CAPTURE(row);
        CHECK(digit(id, row, b) == slow_digit(id, row, b));
        const int width = std::min(b, 128 - row * b);
        const int value = static_cast<int>(random.below(1ULL << width));
        const Id changed = with_digit(id, row, value, b);
        CHECK(digit(changed, row, b) == value);
        CHECK(with_digit(changed, row, digit(id, row, b), b) == id);
        CHECK(shared_prefix(id, changed, b) == (digit(id, row, b) == value ? digit_count(b) : row));
      }
    }
  }
}

TEST_CASE("Pastry 2: shared prefix counts whole digits") {
  const Id a = Id::parse("0123456789abcdef0123456789abcdef").value();
  CHECK(shared_prefix(a, a, 4) == 32);
  CHECK(shared_prefix(a, Id::parse("0123456789abcdef0123456789abcdee").value(), 4) == 31);
  CHECK(shared_prefix(a, Id::parse("1123456789abcdef0123456789abcdef").value(), 4) == 0);
  CHECK(shared_prefix(a, Id::parse("0123456789abcdef1123456789abcdef").value(), 4) == 16);
  // 127 bits shared: the last, shorter digit differs.
  CHECK(shared_prefix(kZero, Id(0, 1), 3) == 42);
  CHECK(shared_prefix(kZero, Id(0, 1), 1) == 127);
  CHECK(shared_prefix(kZero, kZero, 7) == 19);
}
