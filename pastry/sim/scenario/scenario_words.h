// The words of one line of a scenario, taken from the front; errors name file and line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"
#include "pastry/sim/scenario/scenario.h"

namespace pastry::sim {

class ScenarioWords {
 public:
  // `place` begins every error: "FILE:LINE". The words must outlive this.
  ScenarioWords(std::span<const std::string_view> words, std::string place)
      : words_(words), place_(std::move(place)) {}

  bool empty() const { return words_.empty(); }
  // The next word, or an empty one.
  std::string_view next();
  // Takes the next word if it is this one.
  bool take(std::string_view word);
  // What is left, with single blanks.
  std::string text() const;

  // Each takes one word. Errors: invalid.
  Result<Duration> duration() { return duration_of(next()); }
  Result<std::size_t> integer(std::size_t min, std::size_t max);
  Result<double> percent();       // "99.9%" as 0.999
  Result<Amount> amount();        // "3", "50%", "half", "all"
  Result<std::uint64_t> bytes();  // "500", "10KiB", "3MiB"

  // The same for a text that is part of a word.
  Result<Duration> duration_of(std::string_view text) const;
  Result<double> number_of(std::string_view text, double min, double max) const;

  tl::unexpected<Error> wrong(std::string what) const;

 private:
  std::span<const std::string_view> words_;
  std::string place_;
};

}  // namespace pastry::sim
