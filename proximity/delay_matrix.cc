#include <charconv>
#include <cmath>
#include <vector>

#include "proximity/places.h"
#include "proximity/topology.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

constexpr std::string_view kBlank = " \t\r,;";

class Matrix final : public Topology {
 public:
  Matrix(std::string name, std::vector<std::vector<std::uint32_t>> rows, nanoseconds base)
      : name_(std::move(name)), rows_(std::move(rows)), base_(base) {}

  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    if (from == to) return {};
    const std::size_t a = from % rows_.size();
    const std::size_t b = to % rows_.size();
    return base_ + std::chrono::microseconds(rows_[a][b]);
  }

  std::string description() const override {
    return "matrix:" + name_ + " (" + std::to_string(rows_.size()) + " places, base " +
           delay_text(base_) + ")";
  }

 private:
  std::string name_;
  std::vector<std::vector<std::uint32_t>> rows_;  // microseconds
  nanoseconds base_;
};

// Reads the file line by line and remembers where it is, for the error.
class MatrixReader {
 public:
  explicit MatrixReader(std::string_view text) : rest_(text) {}

  tl::expected<std::vector<std::vector<std::uint32_t>>, std::string> read() {
    while (!rest_.empty() && error_.empty()) read_line(next_line());
    if (error_.empty()) check_shape();
    if (error_.empty()) check_metric();
    if (!error_.empty()) return tl::unexpected<std::string>(error_);
    return std::move(rows_);
  }

 private:
  std::string_view next_line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    return line.substr(0, line.find('#'));
  }

  static std::string_view next_word(std::string_view& line) {
    const std::size_t first = std::min(line.find_first_not_of(kBlank), line.size());
    line.remove_prefix(first);
    const std::size_t end = std::min(line.find_first_of(kBlank), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
  }

  void read_line(std::string_view line) {
    std::string_view word = next_word(line);
    if (word.empty()) return;
    if (word == "unit" && rows_.empty()) return read_unit(line);
    if (rows_.size() == kDelayMatrixPlacesMax) {
      return complain("more than " + std::to_string(kDelayMatrixPlacesMax) + " rows");
    }
    std::vector<std::uint32_t> row;
    if (!rows_.empty()) row.reserve(rows_.front().size());
    for (; !word.empty() && error_.empty(); word = next_word(line)) {
      if (row.size() == kDelayMatrixPlacesMax) return complain("too many delays in a row");
      row.push_back(read_delay(word));
    }
    rows_.push_back(std::move(row));
    row_lines_.push_back(line_);
  }

  void read_unit(std::string_view line) {
    const std::string_view unit = next_word(line);
    microseconds_per_unit_ = unit == "us" ? 1 : unit == "ms" ? 1e3 : unit == "s" ? 1e6 : 0;
    if (microseconds_per_unit_ == 0) return complain("the unit is us, ms or s");
    const std::string_view rest = next_word(line);
    if (rest == "round-trip") {
      microseconds_per_unit_ /= 2;
    } else if (!rest.empty()) {
      complain("only \"round-trip\" may follow the unit");
    }
  }

  std::uint32_t read_delay(std::string_view word) {
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    const double us = value * microseconds_per_unit_;
    const bool number = error == std::errc() && end == word.data() + word.size();
    const double longest = 1e-3 * static_cast<double>(kLongestDelay.count());
    if (!number || !(us >= 0 && us <= longest)) {
      complain("\"" + std::string(word.substr(0, 20)) + "\" is not a delay from 0 to 60 s");
      return 0;
    }
    return static_cast<std::uint32_t>(std::ceil(us));
  }

  void check_shape() {
    if (rows_.empty()) return complain("there is no row of delays");
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].size() == rows_.size()) continue;
      line_ = row_lines_[i];
      return complain(std::to_string(rows_[i].size()) + " delays, but there are " +
                      std::to_string(rows_.size()) + " rows");
    }
  }

  void check_metric() {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      line_ = row_lines_[i];
      if (rows_[i][i] != 0) {
        return complain("delay " + std::to_string(i + 1) + " is from a place to itself and not 0");
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (rows_[i][j] == rows_[j][i]) continue;
        return complain("delay " + std::to_string(j + 1) + " differs from the one back (line " +
                        std::to_string(row_lines_[j]) + ")");
      }
    }
  }

  void complain(std::string what) {
    if (error_.empty()) error_ = "line " + std::to_string(line_) + ": " + std::move(what);
  }

  std::string_view rest_;
  std::size_t line_ = 0;
  double microseconds_per_unit_ = 1e3;
  std::vector<std::vector<std::uint32_t>> rows_;
  std::vector<std::size_t> row_lines_;
  std::string error_;
};

}  // namespace

tl::expected<std::unique_ptr<Topology>, std::string> make_delay_matrix(std::string name,
                                                                       std::string_view text,
                                                                       nanoseconds base) {
  auto rows = MatrixReader(text).read();
  if (!rows) return tl::unexpected<std::string>(name + ": " + rows.error());
  return std::make_unique<Matrix>(std::move(name), std::move(*rows), base);
}

}  // namespace proximity
