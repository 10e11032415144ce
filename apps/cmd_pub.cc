// pastry pub: publishes to a topic.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"
#include "apps/topic_argument.h"
#include "scribe/scribe.h"

namespace pastry::cli {
namespace {

// The messages to publish, one after another.
class Messages {
 public:
  // `text`: itself, "-" standard input, "@FILE" a file. Error: invalid (unreadable).
  static Result<Messages> open(const std::string& text, bool lines) {
    Messages messages;
    messages.lines_ = lines;
    if (text == "-") {
      messages.stream_ = &std::cin;
    } else if (text.starts_with('@')) {
      messages.file_ = std::make_unique<std::ifstream>(text.substr(1), std::ios::binary);
      if (*messages.file_) messages.file_->peek();  // a directory can be opened but not read
      if (!messages.file_->is_open() || messages.file_->bad()) {
        return fail(ErrorCode::invalid, "cannot read '" + text.substr(1) + "'");
      }
      messages.stream_ = messages.file_.get();
    } else if (lines) {
      return fail(ErrorCode::invalid, "--lines reads '-' or '@FILE'");
    } else {
      messages.text_ = text;
    }
    return messages;
  }

  // Error: invalid (too large).
  Result<std::optional<std::string>> next() {
    std::optional<std::string> message = take();
    if (message && message->size() > scribe::kMessageMax) {
      return fail(ErrorCode::invalid,
                  "a message has at most " + std::to_string(scribe::kMessageMax) + " bytes");
    }
    return message;
  }

 private:
  std::optional<std::string> take() {
    if (stream_ == nullptr) return std::exchange(text_, std::nullopt);
    std::string message;
    if (lines_) {
      if (!std::getline(*stream_, message)) return std::nullopt;
      return message;
    }
    if (std::exchange(read_, true)) return std::nullopt;
    // One byte more than allowed shows that it is too large.
    message.resize(scribe::kMessageMax + 1);
    stream_->read(message.data(), static_cast<std::streamsize>(message.size()));
    message.resize(static_cast<std::size_t>(stream_->gcount()));
    if (message.empty()) return std::nullopt;
    return message;
  }

  std::optional<std::string> text_;
  std::unique_ptr<std::ifstream> file_;
  std::istream* stream_ = nullptr;
  bool lines_ = false;
  bool read_ = false;
};

// What came while waiting: the credit, or the end of the call.
Result<std::optional<control::Json>> take_one(const Session& session, control::CallId call,
                                              std::uint64_t& credit) {
  const auto incoming = session.client().next(session.patience());
  if (!incoming) return tl::unexpected<Error>(incoming.error());
  const control::Header& header = incoming->header;
  if (header.call != call) return std::optional<control::Json>();
  if (header.type == control::Type::error) return tl::unexpected<Error>(header.error);
  if (header.type == control::Type::credit) credit += header.credit;
  if (header.type == control::Type::result) return std::optional<control::Json>(header.body);
  return std::optional<control::Json>();
}

Result<control::Json> publish(const Session& session, const std::string& topic, Messages messages) {
  const auto call = session.client().call("pub", session.params({{"topic", topic}}));
  std::uint64_t credit = 0;
  std::optional<Error> too_large;
  auto message = messages.next();
  while (message && *message) {
    const std::uint64_t price = std::max<std::uint64_t>((*message)->size(), control::kMessageCost);
    while (credit < price) {
      auto ended = take_one(session, call, credit);
      if (!ended) return tl::unexpected<Error>(ended.error());
      if (*ended) return std::move(**ended);
    }
    credit -= price;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>((*message)->data());
    session.client().data(call, ByteView(bytes, (*message)->size()), false);
    message = messages.next();
  }
  if (!message) too_large = message.error();
  session.client().data(call, {}, true);
  while (true) {
    auto ended = take_one(session, call, credit);
    if (!ended) return tl::unexpected<Error>(ended.error());
    if (too_large && *ended) return tl::unexpected<Error>(*too_large);
    if (*ended) return std::move(**ended);
  }
}

Result<Exit> run(const Invocation& invocation) {
  const auto& arguments = invocation.options.arguments();
  const auto topic = parse_topic(arguments[0]);
  if (!topic) return tl::unexpected<Error>(topic.error());
  auto messages =
      Messages::open(arguments.size() > 1 ? arguments[1] : "-", invocation.options.flag("lines"));
  if (!messages) return tl::unexpected<Error>(messages.error());
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  const auto result = publish(*session, arguments[0], std::move(*messages));
  if (!result) return tl::unexpected<Error>(result.error());
  const auto published = result->value("published", std::uint64_t{0});
  const auto acknowledged = result->value("acknowledged", std::uint64_t{0});
  if (invocation.json) {
    const auto printed =
        print({{"topic", arguments[0]}, {"published", published}, {"acknowledged", acknowledged}});
    if (!printed) return printed;
  }
  if (acknowledged == published) return Exit::done;
  const auto code = control::error_code(result->value("code", ""));
  return fail(code.value_or(ErrorCode::timed_out),
              std::to_string(published - acknowledged) + " of " + std::to_string(published) +
                  " messages were not acknowledged: " + result->value("error", ""));
}

}  // namespace

extern const Command kPubCommand;
const Command kPubCommand{
    .name = "pub",
    .arguments = "TOPIC [TEXT|-|@FILE]",
    .arguments_min = 1,
    .arguments_max = 2,
    .summary = "Publishes a message, or one per line, to a topic.",
    .details =
        "Done when the topic's root and all its children have every message. Without TEXT, or with "
        "-, standard input is one message; an empty input is none, an empty TEXT is one.",
    .example = "seq 1000 | pastry pub news - --lines",
    .timeout = "120",
    .timeout_help = kProgressTimeoutHelp,
    .options = node_options({{"lines", 0, "", "each line is a message"}}),
    .run = run};

}  // namespace pastry::cli
