// pastry status: how the ring and its files are doing.
#include <chrono>
#include <thread>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

std::string text_of(const control::Json& status) {
  const auto number = [&](const char* name) {
    return std::to_string(status.value(name, std::uint64_t{0}));
  };
  std::string text = "verdict           " + status.value("verdict", "") + "\n";
  text += "advice            " + status.value("advice", "") + "\n";
  text += "nodes             " + number("nodes") + "\n";
  text += "files             " + number("files") + "\n";
  text += "stored            " + size_text(status.value("bytes", std::uint64_t{0})) + " in " +
          number("copies") + " copies and " + number("records") + " records\n";
  text += "under-replicated  " + number("under_replicated") + " (" +
          size_text(status.value("bytes_to_repair", std::uint64_t{0})) + " to copy)\n";
  if (status.value("short_of_nodes", std::uint64_t{0}) > 0)
    text += "short of nodes    " + number("short_of_nodes") + "\n";
  const auto age = static_cast<std::uint64_t>(status.value("counted_age_s", 0.0));
  text += "counted           " + std::to_string(age) + " s ago or later";
  if (status.value("uncounted", std::uint64_t{0}) > 0)
    text += "; not yet by " + number("uncounted") + " of the nodes";
  text += "\n";
  for (const control::Json& id : status.value("unreachable", control::Json::array()))
    text += "unreachable       " + id.get<std::string>() + "\n";
  return text;
}

Result<Exit> run(const Invocation& invocation) {
  const bool watch = invocation.options.flag("watch");
  const auto limit = control::Deadline::in(
      watch && !invocation.options.given("timeout") ? Duration::zero() : invocation.timeout);
  while (true) {
    const auto answer = ask(invocation, "status", {});
    if (!answer) return tl::unexpected<Error>(answer.error());
    const auto printed =
        invocation.json ? print(*answer) : print_text(text_of(*answer) + (watch ? "\n" : ""));
    if (!printed || !watch || limit.passed()) return printed;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

extern const Command kStatusCommand;
const Command kStatusCommand{
    .name = "status",
    .summary = "Verdict on the ring and its files, with advice.",
    .details = "Adds up what all nodes of the overlay say about themselves.",
    .example = "pastry status --json",
    .options = node_options({{"watch", 0, "", "again each second (until --timeout if given)"}}),
    .run = run};

}  // namespace pastry::cli
