#include "apps/cluster_request.h"

#include <utility>

#include "apps/cli/output.h"
#include "apps/control/target.h"

namespace pastry::cli {

std::vector<OptionSpec> target_options() {
  return node_options({{"random", 0, "", "random ones"},
                       {"count", 'n', "N", "how many random ones", "1"},
                       {"all", 0, "", "all of them"}});
}

control::Json target_names(const Options& options, Reader& reader) {
  control::Json names = control::Json::array();
  for (const std::string& name : options.arguments()) {
    const auto digits = control::id_digits(name);
    const bool may_be_pid = name.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      reader.note({ErrorCode::invalid,
                   "'" + name + "' is neither a pid nor an id or the first digits of one"});
    } else if (name.size() < control::kIdDigitsMin && !may_be_pid) {
      reader.note({ErrorCode::invalid,
                   "'" + name + "' is too short: of an id at least four digits are needed"});
    }
    names.push_back(digits.value_or(name));
  }
  return names;
}

Result<control::Json> target_params(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  const auto count = static_cast<std::uint64_t>(reader.integer("count", 1, 4096));
  const bool random = options.flag("random");
  const int ways =
      (random ? 1 : 0) + (options.flag("all") ? 1 : 0) + (options.arguments().empty() ? 0 : 1);
  if (ways != 1) {
    reader.note({ErrorCode::invalid, "choose by id or pid, --random or --all: one of the three"});
  }
  if (!random && options.given("count")) {
    reader.note({ErrorCode::invalid, "--count is for --random"});
  }
  control::Json targets = target_names(options, reader);
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  return control::Json{{"targets", std::move(targets)},
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
    text +=
        node.value("id", "") + "  pid " + node.at("pid").dump() + "  " + node.value("endpoint", "");
    if (node.contains("side")) text += "  side " + node.at("side").dump();
    text += "\n";
  }
  return print_text(text);
}

}  // namespace pastry::cli
