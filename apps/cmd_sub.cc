// pastry sub: prints what is published to a topic.
#include <algorithm>
#include <chrono>

#include "apps/cli/command.h"
#include "apps/cli/encoding.h"
#include "apps/cli/output.h"
#include "apps/session.h"
#include "apps/topic_argument.h"

namespace pastry::cli {
namespace {

constexpr std::uint64_t kWindow = 4U << 20;
constexpr Duration kAttachTimeout = std::chrono::seconds(30);

control::Json message_json(const control::Json& event, const Payload& payload) {
  control::Json message = event;
  if (is_utf8(payload.text())) {
    message["payload"] = payload.text();
  } else {
    message["payload_base64"] = base64(payload.view());
  }
  return message;
}

Result<Exit> show(const control::Json& event, const Payload& payload, bool json) {
  const bool message = !event.contains("event");
  if (json) return print(message ? message_json(event, payload) : event);
  if (message) return print_text(std::string(payload.text()) + "\n");
  const std::string what = event.value("event", "");
  if (what == "gap") {
    write_error("pastry sub: gap, messages lost: " +
                std::to_string(event.value("missing", std::uint64_t{0})) + "\n");
  } else {
    write_error("pastry sub: attached to '" + event.value("topic", "") + "'\n");
  }
  return Exit::done;
}

Result<Exit> run(const Invocation& invocation) {
  Reader reader(invocation.options);
  const auto count = reader.integer("count", 0, INT64_MAX);
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  const auto topic = parse_topic(invocation.options.arguments().front());
  if (!topic) return tl::unexpected<Error>(topic.error());
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  control::Client& client = session->client();
  const auto call = client.call("sub", session->params({{"topic", *topic}}), kWindow);
  const auto attach = session->deadline.within(kAttachTimeout);
  bool attached = false;
  for (std::int64_t received = 0; count == 0 || received < count;) {
    const auto incoming = client.next(attached ? session->deadline : attach);
    if (!incoming) return tl::unexpected<Error>(incoming.error());
    const control::Header& header = incoming->header;
    if (header.call != call) continue;
    if (header.type == control::Type::error) return tl::unexpected<Error>(header.error);
    if (header.type != control::Type::event) continue;
    const auto shown = show(header.body, incoming->data, invocation.json);
    if (!shown) return shown;
    attached = true;
    if (!header.body.contains("event")) ++received;
    client.credit(call, std::max<std::uint64_t>(incoming->data.size(), control::kMessageCost));
  }
  client.cancel(call);
  return Exit::done;
}

}  // namespace

extern const Command kSubCommand;
const Command kSubCommand{
    .name = "sub",
    .arguments = "TOPIC",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Prints the messages of a topic as they come, one per line.",
    .details =
        "Every message published after the subscription was attached is printed; attaching is "
        "given at most 30 s.",
    .example = "pastry sub news --count 10 --json",
    .timeout = "0",
    .options = node_options({{"count", 'n', "N", "end after so many messages (0: never)", "0"}}),
    .run = run};

}  // namespace pastry::cli
