// pastry lookup: the root of one key or of many.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"
#include "pastry/core/id.h"

namespace pastry::cli {
namespace {

constexpr std::size_t kBatch = 1000;
constexpr std::uint64_t kCredit = 4U << 20;

Result<std::vector<std::string>> read_keys(const std::vector<std::string>& arguments) {
  std::vector<std::string> keys;
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      keys.push_back(argument);
      continue;
    }
    for (std::string word; std::cin >> word;) keys.push_back(word);
  }
  for (const std::string& key : keys) {
    if (const auto id = Id::parse(key); !id) return tl::unexpected<Error>(id.error());
  }
  return keys;
}

Result<Exit> show(const control::Json& answer, bool json) {
  if (answer.contains("error")) {
    const auto code = control::error_code(answer.value("code", ""));
    const Error error{code.value_or(ErrorCode::failed),
                      answer.value("key", "") + ": " + answer.value("error", "")};
    return static_cast<Exit>(report("lookup", error, json));
  }
  if (json) return print(answer);
  return print_text(answer.value("key", "") + "  root " + answer.value("root", "") + "  " +
                    answer.value("endpoint", "") + "  hops " +
                    std::to_string(answer.value("hops", 0)) + "\n");
}

Result<Exit> look_up(const Session& session, std::vector<std::string> keys, bool json) {
  Exit exit = Exit::done;
  const auto call =
      session.client().call("lookup", session.params({{"keys", std::move(keys)}}), kCredit);
  while (true) {
    const auto incoming = session.client().next(session.deadline);
    if (!incoming) return tl::unexpected<Error>(incoming.error());
    if (incoming->header.call != call) continue;
    if (incoming->header.type == control::Type::result) return exit;
    if (incoming->header.type == control::Type::error) {
      return tl::unexpected<Error>(incoming->header.error);
    }
    const auto shown = show(incoming->header.body, json);
    if (!shown) return shown;
    if (*shown != Exit::done) exit = *shown;
  }
}

Result<Exit> run(const Invocation& invocation) {
  const auto keys = read_keys(invocation.options.arguments());
  if (!keys) return tl::unexpected<Error>(keys.error());
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  Exit exit = Exit::done;
  for (std::size_t begin = 0; begin < keys->size(); begin += kBatch) {
    const auto first = keys->begin() + static_cast<std::ptrdiff_t>(begin);
    const std::size_t count = std::min(kBatch, keys->size() - begin);
    const auto done =
        look_up(*session, {first, first + static_cast<std::ptrdiff_t>(count)}, invocation.json);
    if (!done) return done;
    if (*done != Exit::done) exit = *done;
  }
  return exit;
}

}  // namespace

extern const Command kLookupCommand;
const Command kLookupCommand{
    .name = "lookup",
    .arguments = "KEY…|-",
    .arguments_min = 1,
    .arguments_max = 100000,
    .summary = "The root of each key: the active node with the closest id.",
    .details =
        "KEY has 32 hexadecimal digits; '-' reads keys from standard input. With --json one "
        "object per line, in the order of the keys.",
    .example = "pastry lookup 00112233445566778899aabbccddeeff",
    .options = node_options({}),
    .run = run};

}  // namespace pastry::cli
