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
  std::vector<StorageCompletion> completions;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    const std::size_t count = batch.size();
    std::size_t bytes = 0;
    for (const StorageRequest& request : batch) bytes += bytes_of(request);
    work_(batch, completions);
    batch.clear();  // before the bound is lowered: its values are memory
    {
      const std::lock_guard lock(mutex_);
      pending_ -= count;
      bytes_ -= bytes;
      done_.insert(done_.end(), std::make_move_iterator(completions.begin()),
                   std::make_move_iterator(completions.end()));
    }
    completions.clear();
    wake_();
  }
}

Worker::Work storage_work(Store& store) {
  return
      [&store](std::vector<StorageRequest>& requests, std::vector<StorageCompletion>& completions) {
        store.apply(requests, completions);
      };
}

Worker::Work digest_work(const Hash& hash) {
  return [&hash](std::vector<StorageRequest>& requests,
                 std::vector<StorageCompletion>& completions) {
    for (StorageRequest& request : requests) {
      const auto& compute = std::get<ComputeDigest>(request.operation);
      completions.push_back({request.node, request.application, request.tag,
                             StoreOutcome(ComputeDigestDone{hash.digest(compute.bytes.view())})});
    }
  };
}

}  // namespace pastry::host
