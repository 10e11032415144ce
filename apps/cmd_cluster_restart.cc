// pastry cluster restart: killed processes come back with their data.
#include "apps/cluster_request.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto params = target_params(invocation);
  if (!params) return tl::unexpected<Error>(params.error());
  return request(invocation, "restart", *params, "nodes");
}

}  // namespace

extern const Command kClusterRestartCommand;
const Command kClusterRestartCommand{
    .name = "cluster restart",
    .arguments = "ID|PID…|--random|--all",
    .arguments_max = 4096,
    .summary = "Starts killed processes again; done when they are active.",
    .details = "Of an id the first four digits are enough.",
    .example = "pastry cluster restart --all",
    .timeout = "60",
    .options = target_options(),
    .run = run};

}  // namespace pastry::cli
