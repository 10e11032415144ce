#include "apps/cli/topology.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace pastry::cli {

namespace {

constexpr std::string_view kMatrix = "matrix:";

tl::expected<std::string, std::string> read_text(const std::string& path) {
  const auto complaint = [&](const std::string& what) {
    return tl::unexpected<std::string>(path + ": " + what);
  };
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return complaint(error.message());
  if (size > kTopologyFileBytesMax) return complaint("larger than 256 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.size() != size) return complaint("cannot be read");
  return text;
}

}  // namespace

Result<std::shared_ptr<const proximity::Topology>> read_topology(const std::string& text,
                                                                 std::uint64_t seed) {
  auto topology = proximity::parse_topology(text, seed, read_text);
  if (!topology) return fail(ErrorCode::invalid, topology.error());
  return std::shared_ptr<const proximity::Topology>(std::move(*topology));
}

std::string absolute_topology(const std::string& text) {
  if (!text.starts_with(kMatrix)) return text;
  std::error_code error;
  const auto path = std::filesystem::absolute(text.substr(kMatrix.size()), error);
  return error ? text : std::string(kMatrix) + path.string();
}

}  // namespace pastry::cli
