// pastry cluster pause: processes stop running, or go on.
#include "apps/cluster_request.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  auto params = target_params(invocation);
  if (!params) return tl::unexpected<Error>(params.error());
  const bool resume = invocation.options.flag("resume");
  (*params)["resume"] = resume;
  return request(invocation, "pause", *params, resume ? "resumed" : "paused");
}

std::vector<OptionSpec> options() {
  std::vector<OptionSpec> specs = target_options();
  specs.push_back({"resume", 0, "", "go on (SIGCONT)"});
  return specs;
}

}  // namespace

extern const Command kClusterPauseCommand;
const Command kClusterPauseCommand{.name = "cluster pause",
                                   .arguments = "ID|PID…|--random|--all",
                                   .arguments_max = 4096,
                                   .summary =
                                       "Stops processes of the cluster (SIGSTOP); --resume: "
                                       "lets them go on.",
                                   .details = "Of an id the first four digits are enough.",
                                   .example = "pastry cluster pause --random",
                                   .options = options(),
                                   .run = run};

}  // namespace pastry::cli
