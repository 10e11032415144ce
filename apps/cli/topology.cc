#include "apps/cli/topology.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "apps/cli/text_file.h"

namespace pastry::cli {

namespace {

constexpr std::string_view kMatrix = "matrix:";

tl::expected<std::string, std::string> read_text(const std::string& path) {
  // Nodes of a cluster read it again, each by itself.
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    return tl::unexpected<std::string>("'" + path + "' is not a regular file");
  }
  return read_text_file(path, kTopologyFileBytesMax).map_error([](const Error& error) {
    return error.message;
  });
}

}  // namespace

Result<std::shared_ptr<const proximity::Topology>> read_topology(const std::string& text,
                                                                 std::uint64_t seed) {
  auto topology = proximity::parse_topology(text, seed, read_text);
  if (!topology) return fail(ErrorCode::invalid, topology.error());
  return std::shared_ptr<const proximity::Topology>(std::move(*topology));
}

Result<void> check_round_trips(const proximity::Topology& topology, const std::string& text,
                               std::uint64_t nodes, Duration probe_timeout) {
  // A few nodes are enough to see the scale, and what any two of them need is no guess.
  constexpr std::uint64_t kPlaces = 64;
  constexpr std::uint64_t kLongPercent = 1;
  std::chrono::nanoseconds longest{};
  std::uint64_t pairs = 0;
  std::uint64_t too_long = 0;
  for (std::uint64_t a = 0; a < std::min(kPlaces, nodes); ++a) {
    for (std::uint64_t b = 0; b < a; ++b) {
      const std::chrono::nanoseconds round_trip = 2 * topology.delay(a, b);
      longest = std::max(longest, round_trip);
      ++pairs;
      too_long += round_trip > probe_timeout ? 1 : 0;
    }
  }
  if (too_long * 100 <= pairs * kLongPercent) return {};
  const auto ms = [](auto time) {
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(time).count()) + " ms";
  };
  return fail(ErrorCode::invalid, "--topology " + text + " has round trips of up to " +
                                      ms(longest) + ", and probe_timeout is " + ms(probe_timeout) +
                                      "; choose a longer one or shorter delays");
}

std::string absolute_topology(const std::string& text) {
  if (!text.starts_with(kMatrix)) return text;
  std::error_code error;
  const auto path = std::filesystem::absolute(text.substr(kMatrix.size()), error);
  return error ? text : std::string(kMatrix) + path.string();
}

}  // namespace pastry::cli
