// pastry cluster kill: processes die without a word.
#include "apps/cluster_request.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto params = target_params(invocation);
  if (!params) return tl::unexpected<Error>(params.error());
  return request(invocation, "kill", *params, "killed");
}

}  // namespace

extern const Command kClusterKillCommand;
const Command kClusterKillCommand{.name = "cluster kill",
                                  .arguments = "ID|PID…|--random|--all",
                                  .arguments_max = 4096,
                                  .summary = "Kills processes of the cluster (SIGKILL).",
                                  .details = "Of an id the first four digits are enough.",
                                  .example = "pastry cluster kill --random --count 2",
                                  .timeout = "60",
                                  .options = target_options(),
                                  .run = run};

}  // namespace pastry::cli
