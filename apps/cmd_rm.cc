// pastry rm: removes a file from the overlay.
#include "apps/cli/command.h"
#include "apps/cli/file_id.h"
#include "apps/cli/output.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto file = parse_file_id(invocation.options.arguments().front());
  if (!file) return tl::unexpected<Error>(file.error());
  const auto answer = ask(invocation, "rm", {{"file_id", file->hex()}});
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (invocation.json) return print(*answer);
  return print_text("removed " + file->hex() + "\n");
}

}  // namespace

extern const Command kRmCommand;
const Command kRmCommand{.name = "rm",
                         .arguments = "FILE_ID",
                         .arguments_min = 1,
                         .arguments_max = 1,
                         .summary = "Removes a file: afterwards no lookup finds it.",
                         .example = "pastry rm $ID",
                         .timeout = "60",
                         .options = node_options({}),
                         .run = run};

}  // namespace pastry::cli
