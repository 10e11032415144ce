// Which program this is: for help and errors.
#pragma once

#include <string>

namespace pastry::cli {

struct Program {
  std::string name = "pastry";
  std::string summary = "Peer-to-peer overlay with files and topics.";
  std::string example =
      "pastry cluster --nodes 8    and in another terminal:    pastry put README.md";
};

const Program& program();
// To be called before anything else, if at all.
void set_program(Program program);

// A command line of `pastry`, and a text that cites some in backquotes, as they are with this one.
std::string command_line(const std::string& of_pastry);
std::string citing(std::string text);

}  // namespace pastry::cli
