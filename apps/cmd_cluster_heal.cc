// pastry cluster heal: the end of a partition.
#include "apps/cluster_request.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  return request(invocation, "heal", control::Json::object(), "healed");
}

}  // namespace

extern const Command kClusterHealCommand;
const Command kClusterHealCommand{.name = "cluster heal",
                                  .summary = "Ends a partition: everybody hears everybody again.",
                                  .example = "pastry cluster heal",
                                  .options = node_options({}),
                                  .run = run};

}  // namespace pastry::cli
