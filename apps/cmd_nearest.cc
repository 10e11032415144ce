// pastry nearest: the peers that a node knows to be near.
#include <iomanip>
#include <sstream>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

constexpr std::int64_t kCountMax = 100'000;

Result<Exit> run(const Invocation& invocation) {
  const Options& options = invocation.options;
  Reader reader(options);
  control::Json params = {{"count", reader.integer("count", 1, kCountMax)}};
  if (options.given("within")) {
    const std::chrono::duration<double> limit = reader.duration("within");
    params["within"] = limit.count();
  }
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  const auto answer = ask(invocation, "nearest", std::move(params));
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (invocation.json) return print(*answer);
  std::ostringstream text;
  text << "node " << answer->value("node", "") << " knows:\n";
  text << std::fixed << std::setprecision(3);
  for (const control::Json& node : answer->value("nodes", control::Json::array())) {
    if (node.contains("distance")) {
      text << std::setw(9) << node.value("distance", std::uint64_t{0});
    } else {
      text << std::setw(9) << node.value("round_trip", 0.0) * 1000 << " ms";
    }
    text << "  " << node.value("id", "") << "  " << node.value("endpoint", "") << "\n";
  }
  return print_text(text.str());
}

}  // namespace

extern const Command kNearestCommand;
const Command kNearestCommand{
    .name = "nearest",
    .summary = "The nodes nearest to a node, or those within a time.",
    .details =
        "What the tables of the node hold, nearest first: round-trip time, or with another "
        "--metric "
        "of the overlay its distance (docs/clusters.md), id, address. It asks nobody; nodes that "
        "it "
        "never heard of may be nearer.",
    .example = "pastry nearest --count 5 --within 20ms",
    .options = node_options(
        {{"count", 'c', "N", "at most this many", "10"},
         {"within", 0, "TIME", "only those whose round trip takes no longer: 20ms, 1.5s"}}),
    .run = run};

}  // namespace pastry::cli
