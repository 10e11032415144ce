// pastry where: who holds a file.
#include "apps/cli/command.h"
#include "apps/cli/file_id.h"
#include "apps/cli/output.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto file = parse_file_id(invocation.options.arguments().front());
  if (!file) return tl::unexpected<Error>(file.error());
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  auto answer = session->client().ask("where", session->params({{"file_id", file->hex()}}),
                                      session->deadline);
  if (!answer) return tl::unexpected<Error>(answer.error());
  for (control::Json& holder : (*answer)["holders"]) {
    const control::Json pid = pid_of(session->target, holder.value("id", ""));
    if (!pid.is_null()) holder["pid"] = pid;
  }
  if (invocation.json) return print(*answer);
  std::string text = std::to_string(answer->value("copies", 0)) + " of " +
                     std::to_string(answer->value("wanted", 0)) + " copies\n";
  for (const control::Json& holder : (*answer)["holders"]) {
    text += std::to_string(holder.value("distance_rank", 0)) + "  " + holder.value("id", "") +
            "  " + holder.value("state", "");
    if (holder.contains("pid")) text += "  pid " + holder["pid"].dump();
    text += "\n";
  }
  return print_text(text);
}

}  // namespace

extern const Command kWhereCommand;
const Command kWhereCommand{.name = "where",
                            .arguments = "FILE_ID",
                            .arguments_min = 1,
                            .arguments_max = 1,
                            .summary = "The nodes that hold a file, nearest to its key first.",
                            .example = "pastry where $ID --json",
                            .options = node_options({}),
                            .run = run};

}  // namespace pastry::cli
