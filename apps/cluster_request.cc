#include "apps/cluster_request.h"

#include "apps/cli/output.h"

namespace pastry::cli {

std::vector<OptionSpec> target_options() {
  return node_options({{"random", 0, "", "random ones"},
                       {"count", 'n', "N", "how many random ones", "1"},
                       {"all", 0, "", "all of them"}});
}

Result<control::Json> target_params(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  const auto count = static_cast<std::uint64_t>(reader.integer("count", 1, 4096));
  const bool random = options.flag("random") || options.given("count");
  const int ways =
      (random ? 1 : 0) + (options.flag("all") ? 1 : 0) + (options.arguments().empty() ? 0 : 1);
  if (ways != 1) {
    reader.note({ErrorCode::invalid, "choose by id or pid, --random or --all: one of the three"});
  }
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  return control::Json{{"targets", options.arguments()},
                       {"random", random},
                       {"count", count},
                       {"all", options.flag("all")}};
}

Result<Exit> request(const Invocation& invocation, const std::string& method,
                     const control::Json& params, const std::string& list) {
  const auto session = connect_cluster(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  const auto answer = session->client().ask(method, params, session->deadline);
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (invocation.json) return print(*answer);
  std::string text;
  for (const control::Json& node : answer->value(list, control::Json::array())) {
    text += node.value("id", "") + "  pid " + node.at("pid").dump() + "  " +
            node.value("endpoint", "") + "\n";
  }
  return print_text(text);
}

}  // namespace pastry::cli
