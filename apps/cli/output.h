// Output of commands: data on stdout, messages on stderr, progress only for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "apps/cli/exit.h"
#include "pastry/core/error.h"
#include "pastry/core/payload.h"

namespace pastry::cli {

// All of it to stdout; false if that failed (disk full, reader gone).
bool write_out(std::string_view text);
bool write_out(ByteView bytes);
void write_error(std::string_view text);

// One object and a newline on stdout, or on stderr where data goes to stdout. Error: failed.
Result<Exit> print(const nlohmann::json& document);
void print_error(const nlohmann::json& document);
// Text and Exit::done. Error: failed (stdout is full or closed).
Result<Exit> print_text(std::string_view text);

// The error as one line "PROGRAM COMMAND: …", or as {"error", "code"}; returns the exit code.
int report(const std::string& command, const Error& error, bool json);

// "1.2 MiB"
std::string size_text(std::uint64_t bytes);

// The text as UTF-8 that JSON can carry: invalid bytes become U+FFFD.
std::string dump(const nlohmann::json& document);

// A bar on stderr, if that is a terminal; otherwise nothing.
class Progress {
 public:
  // total 0: unknown
  Progress(std::string label, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::uint64_t done);
  // Makes room for something else; the next show() draws it again.
  void clear();

 private:
  std::string label_;
  std::uint64_t total_;
  bool enabled_;
  bool shown_ = false;
  std::int64_t last_ms_ = 0;
};

}  // namespace pastry::cli
