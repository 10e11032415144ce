// pastry get: reads a file back; a file that is written matches its hash, or none is.
#include <algorithm>
#include <chrono>

#include "apps/cli/command.h"
#include "apps/cli/file_id.h"
#include "apps/cli/output.h"
#include "apps/cli/output_file.h"
#include "apps/session.h"

namespace pastry::cli {
namespace {

constexpr std::uint64_t kWindow = 8U << 20;

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;
};

// "A-B", both inclusive, or "A-".
Result<ByteRange> parse_range(const std::string& text) {
  ByteRange range;
  if (text.empty()) return range;
  const std::size_t dash = text.find('-');
  const auto first = parse_integer(text.substr(0, dash));
  const std::string rest = dash == std::string::npos ? "" : text.substr(dash + 1);
  const auto last = parse_integer(rest);
  const bool open_ended = dash != std::string::npos && rest.empty();
  if (!first || *first < 0 || (!open_ended && (!last || *last < *first))) {
    return fail(ErrorCode::invalid,
                "--range takes A-B (first and last byte, from 0) or A-, not '" + text + "'");
  }
  range.offset = static_cast<std::uint64_t>(*first);
  if (!open_ended) range.length = static_cast<std::uint64_t>(*last - *first) + 1;
  return range;
}

Result<std::uint64_t> download(const Session& session, control::Json params, OutputFile& file) {
  const auto call = session.client().call("get", params, kWindow);
  std::optional<Progress> progress;
  std::uint64_t received = 0;
  while (true) {
    const auto incoming = session.client().next(session.patience());
    if (!incoming) return tl::unexpected<Error>(incoming.error());
    const control::Header& header = incoming->header;
    if (header.call != call) continue;
    if (header.type == control::Type::result) return received;
    if (header.type == control::Type::error) return tl::unexpected<Error>(header.error);
    if (header.type == control::Type::event) {
      progress.emplace("get", header.body.value("size", std::uint64_t{0}));
      session.client().credit(call, control::kMessageCost);
    }
    if (header.type != control::Type::data) continue;
    if (auto written = file.write(incoming->data.view()); !written) {
      session.client().cancel(call);
      return tl::unexpected<Error>(written.error());
    }
    received += incoming->data.size();
    session.client().credit(call,
                            std::max<std::uint64_t>(incoming->data.size(), control::kMessageCost));
    if (progress) progress->show(received);
  }
}

Result<Exit> run(const Invocation& invocation) {
  const Options& options = invocation.options;
  const auto file_id = parse_file_id(options.arguments().front());
  if (!file_id) return tl::unexpected<Error>(file_id.error());
  const auto range = parse_range(options.text("range"));
  if (!range) return tl::unexpected<Error>(range.error());
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  auto file = OutputFile::open(options.text("output"));
  if (!file) return tl::unexpected<Error>(file.error());

  control::Json params{{"file_id", file_id->hex()}, {"offset", range->offset}};
  if (range->length != UINT64_MAX) params["length"] = range->length;
  const auto begin = std::chrono::steady_clock::now();
  const auto size = download(*session, session->params(std::move(params)), *file);
  if (!size) return tl::unexpected<Error>(size.error());
  if (auto committed = file->commit(); !committed) return tl::unexpected<Error>(committed.error());
  if (!invocation.json) return Exit::done;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const control::Json document{
      {"file_id", file_id->hex()}, {"size", *size}, {"seconds", took.count()}};
  if (!file->is_standard_output()) return print(document);
  print_error(document);
  return Exit::done;
}

}  // namespace

extern const Command kGetCommand;
const Command kGetCommand{
    .name = "get",
    .arguments = "FILE_ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Reads a file back.",
    .details =
        "The output file appears when it is complete and verified; a pipe or a device gets the "
        "data "
        "as it comes. --json describes it (on standard error if the data goes to standard output).",
    .example = "pastry get $ID -o copy.md",
    .timeout = "120",
    .timeout_help = kProgressTimeoutHelp,
    .options = node_options(
        {{"output", 'o', "FILE|-", "where to write it", "-"},
         {"range", 0, "A-B", "only these bytes, both inclusive, from 0; A-: to the end"}}),
    .run = run};

}  // namespace pastry::cli
