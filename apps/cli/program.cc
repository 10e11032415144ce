#include "apps/cli/program.h"

#include <string_view>
#include <utility>

namespace pastry::cli {
namespace {

Program& current() {
  static Program current;
  return current;
}

}  // namespace

const Program& program() { return current(); }

void set_program(Program program) { current() = std::move(program); }

std::string command_line(const std::string& of_pastry) {
  constexpr std::string_view kPastry = "pastry ";
  if (!of_pastry.starts_with(kPastry)) return of_pastry;
  return program().name + " " + of_pastry.substr(kPastry.size());
}

std::string citing(std::string text) {
  constexpr std::string_view kCited = "`pastry ";
  const std::string own = "`" + program().name + " ";
  for (std::size_t at = text.find(kCited); at != std::string::npos;
       at = text.find(kCited, at + own.size())) {
    text.replace(at, kCited.size(), own);
  }
  return text;
}

}  // namespace pastry::cli
