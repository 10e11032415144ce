#include "tests/bench/file_client.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "pastry/core/application_ids.h"

namespace bench {
namespace {

using pastry::Bytes;
using pastry::Context;
using pastry::Payload;
using pastry::Result;

constexpr std::size_t kBlock = 1 << 20;
constexpr int kCopies = 3;

Payload random_bytes(std::size_t size) {
  Bytes bytes(size);
  std::uint64_t state = 1;
  for (auto& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::uint8_t>(state >> 56);
  }
  return Payload(std::move(bytes));
}

}  // namespace

const char* name(Command command) {
  switch (command) {
    case Command::put:
      return "put";
    case Command::get:
      return "get";
    case Command::put_large:
      return "put of the large file";
    case Command::get_large:
      return "get of the large file";
    case Command::none:
      break;
  }
  return "nothing";
}

FileClient::FileClient(Shared& shared, std::size_t index, NodeProcess& process)
    : shared_(shared), index_(index), process_(process) {
  process_.host->every(std::chrono::milliseconds(1), [this] { look(); });
}

// A new command begins when everything of the one before has ended.
void FileClient::look() {
  if (seen_ == shared_.number || under_way_ > 0) return;
  seen_ = shared_.number;
  if (index_ >= shared_.clients) return;
  command_ = shared_.command;
  const std::size_t size = command_ == Command::put ? shared_.bytes.load() : kBlock;
  if (value_.size() != size) {
    value_ = random_bytes(size);
    files_.clear();
  }
  process_.host->run_on_node(0, pastry::kLookupApplication, [this](Context context) {
    for (std::size_t i = 0; i < shared_.concurrency; ++i) begin_one(context);
  });
}

void FileClient::begin_one(Context context) {
  ++under_way_;
  switch (command_) {
    case Command::put:
      return put_one(context);
    case Command::get:
      return get_one(context, files_[next_file_++ % files_.size()]);
    case Command::put_large:
      return put_large(context);
    case Command::get_large:
      return get_one(context, large_);
    case Command::none:
      break;
  }
}

void FileClient::ended(Context context, bool good, std::uint64_t bytes, Clock::time_point begin) {
  ClientTally& tally = shared_.tallies[index_];
  const std::uint64_t at = shared_.latency_count++;
  if (at < kLatenciesMax) shared_.latencies[at] = seconds_since(begin);
  if (good) {
    ++tally.operations;
    tally.bytes += bytes;
  } else {
    ++tally.failures;
  }
  --under_way_;
  const bool repeats = command_ == Command::put || command_ == Command::get;
  if (repeats && good && !shared_.stop) return begin_one(context);
  if (under_way_ == 0) ++shared_.idle;
}

past::NewFile FileClient::new_file() {
  past::NewFile file;
  file.name = "bench-" + std::to_string(index_) + "-" + std::to_string(names_++);
  file.k = kCopies;
  return file;
}

void FileClient::put_one(Context context) {
  const auto begin = Clock::now();
  past::PutEvents events;
  events.done = [this, begin](Context later, const Result<past::PutResult>& result) {
    const bool good = result && result->copies >= kCopies;
    if (good) files_.push_back(result->file_id);
    if (!result) std::fprintf(stderr, "put: %s\n", result.error().message.c_str());
    ended(later, good, value_.size(), begin);
  };
  const auto put = past().begin_put(context, new_file(), std::move(events));
  if (!put) return ended(context, false, 0, begin);
  (void)past().write(context, *put, value_);
  (void)past().finish(context, *put);
}

void FileClient::get_one(Context context, const past::FileId& file) {
  const auto begin = Clock::now();
  past().open(context, file, [this, begin](Context later, const Result<past::FileInfo>& info) {
    if (info) return read_all(later, *info, begin);
    std::fprintf(stderr, "get: %s\n", info.error().message.c_str());
    ended(later, false, 0, begin);
  });
}

void FileClient::read_all(Context context, const past::FileInfo& info, Clock::time_point begin) {
  struct Reading {
    past::ReadId id = 0;
    std::uint64_t bytes = 0;
    bool over = false;
  };
  const auto reading = std::make_shared<Reading>();
  past::ReadEvents events;
  events.block = [this, reading](Context later, const Payload& bytes) {
    reading->bytes += bytes.size();
    // The id is known when read() has returned.
    process_.host->run_on_node(0, pastry::kLookupApplication, [this, reading](Context after) {
      if (!reading->over) past().consumed(after, reading->id);
    });
    (void)later;
  };
  events.done = [this, reading, begin, size = info.size](Context later, const Result<void>& done) {
    reading->over = true;
    ended(later, done && reading->bytes == size, reading->bytes, begin);
  };
  const auto id = past().read(context, info, {}, std::move(events));
  if (!id) return ended(context, false, 0, begin);
  reading->id = *id;
}

void FileClient::put_large(Context context) {
  const auto begin = Clock::now();
  large_left_ = shared_.bytes;
  past::PutEvents events;
  events.writable = [this](Context later) { write_large(later); };
  events.done = [this, begin](Context later, const Result<past::PutResult>& result) {
    if (result) large_ = result->file_id;
    ended(later, result.has_value(), shared_.bytes, begin);
  };
  const auto put = past().begin_put(context, new_file(), std::move(events));
  if (!put) return ended(context, false, 0, begin);
  large_put_ = *put;
  write_large(context);
}

void FileClient::write_large(Context context) {
  while (large_left_ >= value_.size()) {
    large_left_ -= value_.size();
    const auto more = past().write(context, large_put_, value_);
    if (!more) return;  // done() says why
    if (!*more) break;
  }
  if (large_left_ == 0) (void)past().finish(context, large_put_);
}

}  // namespace bench
