// pastry topic: the tree of a topic.
#include <map>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"
#include "apps/topic_argument.h"

namespace pastry::cli {
namespace {

Result<Exit> run(const Invocation& invocation) {
  const auto topic = parse_topic(invocation.options.arguments().front());
  if (!topic) return tl::unexpected<Error>(topic.error());
  const auto answer = ask(invocation, "topic", {{"topic", *topic}});
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (invocation.json) return print(*answer);
  std::string text = "topic " + answer->value("topic", "") + ", " +
                     std::to_string(answer->value("subscribers", 0)) + " subscribers, " +
                     std::to_string(answer->value("lost", 0)) + " messages lost\n";
  for (const control::Json& member : answer->value("members", control::Json::array())) {
    text += std::string(2 * member.value("depth", std::size_t{0}), ' ') + member.value("id", "") +
            "  children " + std::to_string(member.value("children", 0)) + "  subscribers " +
            std::to_string(member.value("subscribers", 0)) + "  received " +
            std::to_string(member.value("received", std::uint64_t{0})) + "\n";
  }
  return print_text(text);
}

}  // namespace

extern const Command kTopicCommand;
const Command kTopicCommand{.name = "topic",
                            .arguments = "TOPIC",
                            .arguments_min = 1,
                            .arguments_max = 1,
                            .summary = "The tree of a topic: members, children, losses.",
                            .example = "pastry topic news",
                            .options = node_options({}),
                            .run = run};

}  // namespace pastry::cli
