// pastry cluster partition: processes stop hearing each other.
#include <utility>

#include "apps/cluster_request.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  const std::uint64_t sides =
      options.given("sides") ? static_cast<std::uint64_t>(reader.integer("sides", 2, 8)) : 0;
  control::Json targets = target_names(options, reader);
  if (!options.arguments().empty() && options.given("sides")) {
    reader.note({ErrorCode::invalid, "name nodes or give --sides, not both"});
  }
  if (options.arguments().empty() && !options.given("sides")) {
    reader.note({ErrorCode::invalid, "name nodes by id or pid, or give --sides"});
  }
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  const control::Json params{
      {"targets", std::move(targets)}, {"sides", sides}, {"one_way", options.flag("one-way")}};
  return request(invocation, "partition", params, "partitioned");
}

}  // namespace

extern const Command kClusterPartitionCommand;
const Command kClusterPartitionCommand{
    .name = "cluster partition",
    .arguments = "ID|PID…|--sides N",
    .arguments_max = 4096,
    .summary = "Cuts the cluster into parts that do not hear each other.",
    .details =
        "At random into as many parts as --sides says, or the named nodes from all others. The "
        "processes themselves drop what the other side sends. 'pastry cluster heal' ends it.",
    .example = "pastry cluster partition --sides 3",
    .options =
        node_options({{"sides", 0, "N", "how many parts at random, 2-8"},
                      {"one-way", 0, "", "one direction only: the first part is not heard"}}),
    .run = run};

}  // namespace pastry::cli
