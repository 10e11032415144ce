// pastry put: stores a file; acknowledged when k stores have it on disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <vector>

#include "apps/cli/command.h"
#include "apps/cli/output.h"
#include "apps/session.h"
#include "pastry/core/hash.h"
#include "pastry/identity/user_key.h"

namespace pastry::cli {
namespace {

// An open file or standard input, read in pieces.
class Source {
 public:
  static Result<Source> open(const std::string& path) {
    Source source;
    if (path == "-") {
      source.fd_ = STDIN_FILENO;
      return source;
    }
    source.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (source.fd_ < 0 || ::fstat(source.fd_, &status) != 0) return unreadable(path, errno);
    if (S_ISDIR(status.st_mode)) return unreadable(path, EISDIR);
    if (S_ISREG(status.st_mode)) source.size_ = static_cast<std::uint64_t>(status.st_size);
    return source;
  }
  ~Source() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Source(Source&& other) noexcept : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
  Source& operator=(Source&&) = delete;

  const std::optional<std::uint64_t>& size() const { return size_; }

  // Fills the buffer unless the end comes first. Error: failed.
  Result<std::size_t> read(std::span<std::uint8_t> buffer) const {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
      const ssize_t got = ::read(fd_, buffer.data() + filled, buffer.size() - filled);
      if (got == 0) break;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        return fail(ErrorCode::failed, "cannot read: " + std::generic_category().message(errno));
      }
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  Source() = default;

  static tl::unexpected<Error> unreadable(const std::string& path, int reason) {
    return fail(ErrorCode::invalid,
                "cannot read '" + path + "': " + std::generic_category().message(reason));
  }

  int fd_ = -1;
  std::optional<std::uint64_t> size_;
};

// Takes messages until the call has ended or, with `credit`, more bytes may be sent.
Result<std::optional<control::Json>> wait(const Session& session, control::CallId call,
                                          std::uint64_t& credit, std::uint64_t wanted) {
  while (credit < wanted) {
    const auto incoming = session.client().next(session.patience());
    if (!incoming) return tl::unexpected<Error>(incoming.error());
    const control::Header& header = incoming->header;
    if (header.call != call) continue;
    if (header.type == control::Type::result) return header.body;
    if (header.type == control::Type::error) return tl::unexpected<Error>(header.error);
    if (header.type == control::Type::credit) credit += header.credit;
  }
  return std::optional<control::Json>();
}

Result<control::Json> upload(const Session& session, const Source& source, control::Json params) {
  Progress progress("put", source.size().value_or(0));
  const auto call = session.client().call("put", params);
  std::vector<std::uint8_t> piece(control::kDataMax);
  std::uint64_t credit = 0;
  std::uint64_t sent = 0;
  for (bool end = false; !end;) {
    auto ended = wait(session, call, credit, control::kDataMax);
    if (!ended) return tl::unexpected<Error>(ended.error());
    if (*ended) return std::move(**ended);
    const auto size = source.read(piece);
    if (!size) {
      session.client().cancel(call);
      return tl::unexpected<Error>(size.error());
    }
    end = *size < piece.size();
    session.client().data(call, ByteView(piece.data(), *size), end);
    credit -= std::max<std::uint64_t>(*size, control::kMessageCost);
    sent += *size;
    progress.show(sent);
  }
  auto ended = wait(session, call, credit, UINT64_MAX);
  if (!ended) return tl::unexpected<Error>(ended.error());
  return std::move(**ended);
}

Result<std::string> owner() {
  const auto folder = identity::user_folder();
  if (!folder) return tl::unexpected<Error>(folder.error());
  const auto key = identity::UserKey::load_or_create(*folder);
  if (!key) return tl::unexpected<Error>(key.error());
  return hex(key->public_key());
}

Result<Exit> run(const Invocation& invocation) {
  const Options& options = invocation.options;
  constexpr int kCopiesMax = 65;  // of the largest leaf set
  Reader reader(options);
  const auto copies = reader.integer("replicas", 1, kCopiesMax);
  const auto at_least = options.given("at-least") ? reader.integer("at-least", 1, copies) : 0;
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  const std::string path = options.arguments().front();
  const auto source = Source::open(path);
  if (!source) return tl::unexpected<Error>(source.error());
  const std::string base = path == "-" ? "stdin" : std::filesystem::path(path).filename().string();
  const auto session = connect(invocation);
  if (!session) return tl::unexpected<Error>(session.error());
  const auto key = owner();
  if (!key) return tl::unexpected<Error>(key.error());

  control::Json params{{"name", options.given("name") ? options.text("name") : base},
                       {"owner", *key},
                       {"k", copies},
                       {"at_least", at_least}};
  if (source->size()) params["size"] = *source->size();
  const auto begin = std::chrono::steady_clock::now();
  auto result = upload(*session, *source, session->params(std::move(params)));
  if (!result) return tl::unexpected<Error>(result.error());
  const std::string file_id = result->value("file_id", "");
  if (!invocation.json) return print_text(file_id + "\n");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return print({{"file_id", file_id},
                {"link", "pastry:" + file_id},
                {"size", result->value("size", std::uint64_t{0})},
                {"copies", result->value("copies", 0)},
                {"wanted", result->value("wanted", 0)},
                {"seconds", took.count()}});
}

}  // namespace

extern const Command kPutCommand;
const Command kPutCommand{
    .name = "put",
    .arguments = "FILE|-",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Stores a file and prints its id.",
    .details = "Done when K different processes have it on disk, synced.",
    .example = "pastry put README.md -k 3",
    .timeout = "120",
    .timeout_help = kProgressTimeoutHelp,
    .options =
        node_options({{"replicas", 'k', "K", "copies to keep", "3"},
                      {"at-least", 0, "N", "be content with so many copies if the ring is small"},
                      {"name", 0, "NAME", "name to store it under (default: the file's)"}}),
    .run = run};

}  // namespace pastry::cli
