#include "pastry/core/random.h"

#include <bit>

namespace pastry {
namespace {

std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = splitmix64(seed);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  // 2^64 mod bound: values under it would make the small results likelier.
  const std::uint64_t unfair = (0 - bound) % bound;
  std::uint64_t value = next();
  while (value < unfair) value = next();
  return value % bound;
}

Duration Random::between(Duration min, Duration max) {
  const std::uint64_t span = static_cast<std::uint64_t>((max - min).count());
  const std::uint64_t step = span == UINT64_MAX ? next() : below(span + 1);
  return min + Duration(static_cast<Duration::rep>(step));
}

Duration Random::jittered(Duration period, int percent) {
  // Divided first, so that long periods do not overflow.
  const Duration spread = period / 100 * percent + period % 100 * percent / 100;
  return between(period - spread, period + spread);
}

Id Random::id() {
  const std::uint64_t high = next();
  return {high, next()};
}

}  // namespace pastry
