#include "pastry/core/id.h"

#include <algorithm>
#include <array>

#include "pastry/core/hex.h"

namespace pastry {
namespace {

// Where a digit lies: `width` bits, `shift` bits above the least significant one.
struct Place {
  int shift;
  int width;
};

Place place_of(int row, int b) {
  const int top = row * b;
  const int width = std::min(b, Id::kBits - top);
  return {Id::kBits - top - width, width};
}

std::uint64_t low_bits(const Id& id, int shift) {
  if (shift >= 64) return id.high() >> (shift - 64);
  if (shift == 0) return id.low();
  return (id.low() >> shift) | (id.high() << (64 - shift));
}

Id shifted_left(std::uint64_t value, int shift) {
  if (shift >= 64) return {value << (shift - 64), 0};
  if (shift == 0) return {0, value};
  return {value >> (64 - shift), value << shift};
}

}  // namespace

Result<Id> Id::parse(std::string_view hex) {
  std::array<std::uint8_t, 16> bytes{};
  if (!from_hex(hex, bytes)) {
    return fail(ErrorCode::invalid, "an id is 32 hexadecimal digits, not " + quoted(hex));
  }
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = high << 8 | bytes[i];
    low = low << 8 | bytes[i + 8];
  }
  return Id(high, low);
}

std::string Id::hex() const {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(high_ >> (56 - 8 * i));
    bytes[i + 8] = static_cast<std::uint8_t>(low_ >> (56 - 8 * i));
  }
  return to_hex(bytes);
}

Id with_digit(const Id& id, int row, int value, int b) {
  const Place place = place_of(row, b);
  const std::uint64_t mask = (1U << place.width) - 1;
  const Id cleared = id - shifted_left(low_bits(id, place.shift) & mask, place.shift);
  return cleared + shifted_left(static_cast<std::uint64_t>(value) & mask, place.shift);
}

}  // namespace pastry
