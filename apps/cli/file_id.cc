#include "apps/cli/file_id.h"

#include <string_view>

namespace pastry::cli {

Result<StoreName> parse_file_id(const std::string& text) {
  constexpr std::string_view kScheme = "pastry:";
  auto name = StoreName::parse(text.starts_with(kScheme) ? text.substr(kScheme.size()) : text);
  if (name) return name;
  return fail(ErrorCode::invalid, "a file id is 64 hexadecimal digits, not '" + text + "'");
}

}  // namespace pastry::cli
