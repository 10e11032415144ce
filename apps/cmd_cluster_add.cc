// pastry cluster add: further nodes join the cluster.
#include "apps/cluster_request.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  Reader reader(invocation.options);
  const auto count = static_cast<std::uint64_t>(reader.integer("count", 1, 4096));
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  return request(invocation, "add", {{"count", count}}, "nodes");
}

}  // namespace

extern const Command kClusterAddCommand;
const Command kClusterAddCommand{.name = "cluster add",
                                 .summary = "Starts further nodes; done when they are active.",
                                 .example = "pastry cluster add --count 4",
                                 .timeout = "60",
                                 .options = node_options({{"count", 'n', "N", "how many", "1"}}),
                                 .run = run};

}  // namespace pastry::cli
