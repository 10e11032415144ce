// pastry trace: the path to the root of a key, hop by hop.
#include <array>
#include <cstdio>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"
#include "pastry/core/id.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto key = Id::parse(invocation.options.arguments().front());
  if (!key) return tl::unexpected<Error>(key.error());
  const auto answer = ask(invocation, "trace", {{"key", key->hex()}});
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (invocation.json) return print(*answer);
  std::string text;
  int hop = 0;
  for (const control::Json& node : answer->value("path", control::Json::array())) {
    std::array<char, 32> delay{"      ?"};
    if (node.at("delay").is_number()) {
      std::snprintf(delay.data(), delay.size(), "%7.3f ms", node["delay"].get<double>() * 1000);
    }
    text += std::to_string(hop++) + "  " + node.value("id", "") + "  prefix " +
            std::to_string(node.value("prefix_digits", 0)) + "  " + delay.data() + "  " +
            node.value("endpoint", "") + "\n";
  }
  return print_text(text);
}

}  // namespace

extern const Command kTraceCommand;
const Command kTraceCommand{
    .name = "trace",
    .arguments = "KEY",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "The path of a message to the root of a key.",
    .details =
        "Each line: hop, node, digits shared with the key, one-way delay from the node before "
        "as measured there, address.",
    .example = "pastry trace 00112233445566778899aabbccddeeff",
    .options = node_options({}),
    .run = run};

}  // namespace pastry::cli
