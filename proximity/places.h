// What the emulated topologies share: how a place number becomes something random, and how delays
// are read and written. For the room's own files only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace proximity {

inline constexpr std::chrono::nanoseconds kLongestDelay = std::chrono::minutes(1);

// The next of a well-mixed sequence; a bijection (Steele, Lea, Flood: SplitMix64).
constexpr std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// A random number for each pair of seed and place.
constexpr std::uint64_t place_hash(std::uint64_t seed, std::uint64_t place) {
  return splitmix64(splitmix64(seed) ^ place);
}

// 0 … bound - 1 from 64 random bits; bound < 2^32.
constexpr std::uint32_t reduced(std::uint64_t random, std::uint32_t bound) {
  return static_cast<std::uint32_t>(((random >> 32) * bound) >> 32);
}

// "50ms"; whole numbers of ns, us, ms or s, at most kLongestDelay. The error says what is accepted.
tl::expected<std::chrono::nanoseconds, std::string> parse_delay(std::string_view text);
// In the largest unit that needs no fraction.
std::string delay_text(std::chrono::nanoseconds delay);

}  // namespace proximity
