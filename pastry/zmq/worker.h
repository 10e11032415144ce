// A thread for work that must not run on the loop: storage, hashing.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "pastry/core/hash.h"
#include "pastry/core/storage.h"

namespace pastry::host {

// Takes everything that is queued at once and carries it out. What belongs together (the writes of
// a group commit) is handed back in one go; everything else as soon as it is done, so that whoever
// streams large values does not wait for the whole queue.
class Worker {
 public:
  struct Work {
    // Carries out the requests in order and appends their completions.
    std::function<void(std::span<const StorageRequest>, std::vector<StorageCompletion>&)> run;
    // How many requests from the first one on belong together; at least 1.
    std::function<std::size_t(std::span<const StorageRequest>)> together;
  };

  // `work` and `wake` run on the worker's thread; wake says that completions wait for take().
  Worker(Work work, std::function<void()> wake, std::size_t requests_max, std::size_t bytes_max);
  // Finishes what is queued first.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False if the queue is full; the request is then unchanged.
  bool submit(StorageRequest& request);
  // Appends the completions there are.
  void take(std::vector<StorageCompletion>& completions);
  // Finishes what is queued, then ends the thread. The completions can still be taken.
  void stop();

 private:
  void run();
  void carry_out(std::span<StorageRequest> requests);

  Work work_;
  std::function<void()> wake_;
  std::size_t requests_max_;
  std::size_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StorageRequest> queue_;
  std::vector<StorageCompletion> done_;
  std::size_t bytes_ = 0;  // of what is queued or being carried out
  std::size_t pending_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

// The work of the storage thread and of the hashing thread.
Worker::Work storage_work(Store& store);
Worker::Work digest_work(const Hash& hash);

}  // namespace pastry::host
