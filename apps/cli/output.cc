#include "apps/cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "apps/cli/program.h"

namespace pastry::cli {
namespace {

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

std::int64_t clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

bool write_out(std::string_view text) { return write_all(STDOUT_FILENO, text.data(), text.size()); }

bool write_out(ByteView bytes) {
  return write_all(STDOUT_FILENO, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void write_error(std::string_view text) { write_all(STDERR_FILENO, text.data(), text.size()); }

std::string dump(const nlohmann::json& document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Exit> print(const nlohmann::json& document) { return print_text(dump(document) + "\n"); }

void print_error(const nlohmann::json& document) { write_error(dump(document) + "\n"); }

Result<Exit> print_text(std::string_view text) {
  if (write_out(text)) return Exit::done;
  const std::string reason = std::generic_category().message(errno);
  return fail(ErrorCode::failed, "cannot write to standard output: " + reason);
}

int report(const std::string& command, const Error& error, bool json) {
  if (json) {
    print_error({{"error", error.message}, {"code", name(error.code)}});
  } else {
    std::string line = program().name;
    if (!command.empty()) line += " " + command;
    line += ": " + error.message;
    // One line without control characters, whatever somebody gave that the message repeats.
    const auto control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    std::replace_if(line.begin(), line.end(), control, ' ');
    write_error(line + "\n");
  }
  return static_cast<int>(exit_of(error.code));
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)), total_(total), enabled_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (shown_) write_error("\r\033[K");
  shown_ = false;
}

void Progress::show(std::uint64_t done) {
  constexpr std::int64_t kPeriodMs = 100;
  if (!enabled_) return;
  const std::int64_t now = clock_ms();
  if (shown_ && now - last_ms_ < kPeriodMs) return;
  shown_ = true;
  last_ms_ = now;
  std::string line = "\r\033[K" + label_ + " " + size_text(done);
  if (total_ > 0) {
    constexpr std::uint64_t kWidth = 30;
    const std::uint64_t part = done >= total_ ? kWidth : done * kWidth / total_;
    line += " of " + size_text(total_) + " [" + std::string(part, '#') +
            std::string(kWidth - part, '.') + "]";
  }
  write_error(line);
}

}  // namespace pastry::cli
