// pastry status: how this node and the ring are doing.
#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/control/target.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto deadline = control::Deadline::in(invocation.timeout);
  auto target = control::find_node(invocation.options.text("runtime-dir"),
                                   invocation.options.text("node"), deadline);
  if (!target) return tl::unexpected<Error>(target.error());
  const auto answer = target->client->ask("status", {{"node", target->node}}, deadline);
  if (!answer) return tl::unexpected<Error>(answer.error());
  return print(*answer);
}

}  // namespace

extern const Command kStatusCommand;
const Command kStatusCommand{.name = "status",
                             .summary = "Verdict on the ring and its files, with advice.",
                             .example = "pastry status --json",
                             .options = node_options({}),
                             .run = run};

}  // namespace pastry::cli
