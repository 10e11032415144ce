#include "tests/bench/disk_limit.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::size_t kFileBytes = std::size_t{64} << 20;
constexpr std::size_t kFillBytes = std::size_t{1} << 20;

[[noreturn]] void refuse(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

// A file that was written once ahead, so that no extent is left to be marked as written, and is
// then written over from the beginning to the end again and again.
class Log {
 public:
  explicit Log(const fs::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0) refuse("open");
    const std::string fill(kFillBytes, 'f');
    for (std::size_t i = 0; i < kFileBytes / kFillBytes; ++i) write(fill);
    sync();
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { ::close(fd_); }

  void write(const std::string& bytes) {
    if (at_ + bytes.size() > kFileBytes) at_ = 0;
    const auto size = static_cast<ssize_t>(bytes.size());
    if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at_)) != size)
      refuse("pwrite");
    at_ += bytes.size();
  }
  void sync() const {
    if (::fdatasync(fd_) != 0) refuse("fdatasync");
  }

 private:
  int fd_;
  std::size_t at_ = 0;
};

// Operations wait in `waiting` until the writer has written and synced them.
struct Writer {
  explicit Writer(const fs::path& path) : log(path) {}
  Log log;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::atomic<int>*> waiting;  // copies that an operation still waits for
  bool stop = false;
  std::uint64_t syncs = 0;
};

void write_groups(Writer& writer, const std::string& bytes) {
  std::vector<std::atomic<int>*> group;
  for (;;) {
    {
      std::unique_lock lock(writer.mutex);
      writer.changed.wait(lock, [&] { return writer.stop || !writer.waiting.empty(); });
      if (writer.waiting.empty()) return;
      group.swap(writer.waiting);
    }
    for (std::size_t i = 0; i < group.size(); ++i) writer.log.write(bytes);
    writer.log.sync();
    ++writer.syncs;
    for (std::atomic<int>* left : group) {
      if (--*left == 0) left->notify_one();
    }
    group.clear();
  }
}

}  // namespace

struct DiskLimit::State {
  std::size_t copies = 0;
  std::size_t concurrency = 0;
  std::string bytes;
  std::vector<std::unique_ptr<Writer>> writers;
  std::vector<std::unique_ptr<Log>> own;
  // Copies that each client still waits for. Here, not on its stack: the writer that wakes it up
  // looks at it last.
  std::vector<std::atomic<int>> left;

  // `operation(client, number)` as often as the time allows, in as many threads as there are
  // clients; those begun count, and the time until they end.
  Figures repeat(double seconds, const std::function<void(std::size_t, std::size_t)>& operation) {
    std::atomic<std::uint64_t> operations{0};
    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<std::jthread> clients;
    for (std::size_t client = 0; client < concurrency; ++client) {
      clients.emplace_back([&, client] {
        for (std::size_t number = client; Clock::now() < end; ++number, ++operations) {
          operation(client, number);
        }
      });
    }
    clients.clear();
    const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    return {static_cast<double>(operations) / elapsed, operations, 0};
  }
};

DiskLimit::DiskLimit(const fs::path& directory, std::size_t stores, std::size_t copies,
                     std::size_t concurrency, std::size_t bytes)
    : state_(std::make_unique<State>()) {
  fs::create_directories(directory);
  state_->copies = copies;
  state_->concurrency = concurrency;
  state_->left = std::vector<std::atomic<int>>(concurrency);
  for (std::size_t i = 0; i < bytes; ++i) {
    state_->bytes.push_back(static_cast<char>((i * 2654435761U) >> 13));
  }
  for (std::size_t i = 0; i < stores; ++i) {
    state_->writers.push_back(std::make_unique<Writer>(directory / ("store-" + std::to_string(i))));
  }
  for (std::size_t i = 0; i < concurrency; ++i) {
    state_->own.push_back(std::make_unique<Log>(directory / ("client-" + std::to_string(i))));
  }
}

DiskLimit::~DiskLimit() = default;

DiskLimit::Figures DiskLimit::run_grouped(double seconds) {
  State& state = *state_;
  std::uint64_t syncs_before = 0;
  for (const auto& writer : state.writers) {
    writer->stop = false;
    syncs_before += writer->syncs;
  }
  std::vector<std::jthread> threads;
  for (const auto& writer : state.writers) {
    threads.emplace_back([&state, &writer = *writer] { write_groups(writer, state.bytes); });
  }
  const std::size_t groups = state.writers.size() / state.copies;
  Figures figures = state.repeat(seconds, [&](std::size_t client, std::size_t number) {
    std::atomic<int>& left = state.left[client];
    left = static_cast<int>(state.copies);
    for (std::size_t i = 0; i < state.copies; ++i) {
      Writer& writer = *state.writers[number % groups * state.copies + i];
      {
        const std::lock_guard lock(writer.mutex);
        writer.waiting.push_back(&left);
      }
      writer.changed.notify_one();
    }
    for (int now = left; now != 0; now = left) left.wait(now);
  });
  for (const auto& writer : state.writers) {
    {
      const std::lock_guard lock(writer->mutex);
      writer->stop = true;
    }
    writer->changed.notify_one();
  }
  threads.clear();
  for (const auto& writer : state.writers) figures.syncs += writer->syncs;
  figures.syncs -= syncs_before;
  return figures;
}

DiskLimit::Figures DiskLimit::run_one_by_one(double seconds) {
  State& state = *state_;
  Figures figures = state.repeat(seconds, [&state](std::size_t client, std::size_t) {
    for (std::size_t i = 0; i < state.copies; ++i) {
      state.own[client]->write(state.bytes);
      state.own[client]->sync();
    }
  });
  figures.syncs = figures.operations * state.copies;
  return figures;
}

}  // namespace bench
