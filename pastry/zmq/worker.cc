#include "pastry/zmq/worker.h"

#include <iterator>
#include <utility>

namespace pastry::host {
namespace {

std::size_t bytes_of(const StorageRequest& request) {
  if (const auto* put = std::get_if<StorePut>(&request.operation))
    return put->value.size() + put->meta.size();
  if (const auto* digest = std::get_if<ComputeDigest>(&request.operation))
    return digest->bytes.size();
  return 0;
}

bool writes(const StorageRequest& request) {
  return std::holds_alternative<StorePut>(request.operation) ||
         std::holds_alternative<StoreErase>(request.operation);
}

}  // namespace

Worker::Worker(Work work, std::function<void()> wake, std::size_t requests_max,
               std::size_t bytes_max)
    : work_(std::move(work)),
      wake_(std::move(wake)),
      requests_max_(requests_max),
      bytes_max_(bytes_max),
      thread_([this] { run(); }) {}

Worker::~Worker() { stop(); }

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Worker::submit(StorageRequest& request) {
  const std::size_t bytes = bytes_of(request);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || pending_ >= requests_max_ || (bytes_ > 0 && bytes_ + bytes > bytes_max_))
      return false;
    ++pending_;
    bytes_ += bytes;
    queue_.push_back(std::move(request));
  }
  changed_.notify_one();
  return true;
}

void Worker::take(std::vector<StorageCompletion>& completions) {
  const std::lock_guard lock(mutex_);
  completions.insert(completions.end(), std::make_move_iterator(done_.begin()),
                     std::make_move_iterator(done_.end()));
  done_.clear();
}

void Worker::run() {
  std::vector<StorageRequest> batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    std::span<StorageRequest> rest(batch);
    while (!rest.empty()) {
      const std::size_t count = work_.together(rest);
      carry_out(rest.first(count));
      rest = rest.subspan(count);
    }
    batch.clear();
  }
}

void Worker::carry_out(std::span<StorageRequest> requests) {
  std::vector<StorageCompletion> completions;
  work_.run(requests, completions);
  std::size_t bytes = 0;
  for (StorageRequest& request : requests) {
    bytes += bytes_of(request);
    request.operation = {};  // before the bound is lowered: its value is memory
  }
  {
    const std::lock_guard lock(mutex_);
    pending_ -= requests.size();
    bytes_ -= bytes;
    done_.insert(done_.end(), std::make_move_iterator(completions.begin()),
                 std::make_move_iterator(completions.end()));
  }
  wake_();
}

Worker::Work storage_work(Store& store) {
  const auto run = [&store](std::span<const StorageRequest> requests,
                            std::vector<StorageCompletion>& completions) {
    store.apply(requests, completions);
  };
  // A write pays for a sync, in which everything behind it takes part; what is before it need not
  // wait for that.
  const auto together = [](std::span<const StorageRequest> requests) {
    return writes(requests.front()) ? requests.size() : std::size_t{1};
  };
  return {run, together};
}

Worker::Work digest_work(const Hash& hash) {
  const auto run = [&hash](std::span<const StorageRequest> requests,
                           std::vector<StorageCompletion>& completions) {
    for (const StorageRequest& request : requests) {
      const auto& compute = std::get<ComputeDigest>(request.operation);
      completions.push_back({request.node, request.application, request.tag,
                             StoreOutcome(ComputeDigestDone{hash.digest(compute.bytes.view())})});
    }
  };
  return {run, [](std::span<const StorageRequest>) { return std::size_t{1}; }};
}

}  // namespace pastry::host
