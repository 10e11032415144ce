#include "apps/cli/text_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace pastry::cli {

Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
  const auto complaint = [&](const std::string& reason) {
    return fail(ErrorCode::invalid, "cannot read '" + path + "': " + reason);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) return complaint(std::generic_category().message(errno));
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, got);
    if (text.size() > bytes_max) {
      return complaint("larger than " + std::to_string(bytes_max >> 20) + " MiB");
    }
  }
  if (std::ferror(file.get()) != 0) return complaint(std::generic_category().message(errno));
  return text;
}

}  // namespace pastry::cli
