// pastry ring: every node with its two neighbours, as each node itself sees them.
#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

std::string field(const control::Json& node, const char* name) {
  const auto found = node.find(name);
  return found != node.end() && found->is_string() ? found->get<std::string>() : "-";
}

Result<Exit> run(const Invocation& invocation) {
  const auto answer = ask(invocation, "ring", {});
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (invocation.json) return print(*answer);
  std::string text;
  for (const control::Json& node : answer->value("nodes", control::Json::array())) {
    text += field(node, "id") + "  " + field(node, "endpoint") + "  left " +
            field(node, "left").substr(0, 8) + "  right " + field(node, "right").substr(0, 8) +
            "\n";
  }
  text +=
      answer->value("complete", false) ? "The ring is right.\n" : "The ring is not right yet.\n";
  return print_text(text);
}

}  // namespace

extern const Command kRingCommand;
const Command kRingCommand{
    .name = "ring",
    .summary = "All nodes in ring order, each with its own view of its neighbours.",
    .example = "pastry ring --json",
    .options = node_options({}),
    .run = run};

}  // namespace pastry::cli
