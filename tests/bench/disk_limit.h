// What a disk allows: the same bytes written and synced k times, without anything around it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace bench {

class DiskLimit {
 public:
  // `stores` files below `directory`, written ahead; each operation writes `bytes` to `copies` of
  // them, with `concurrency` operations under way. Throws if the system says no.
  DiskLimit(const std::filesystem::path& directory, std::size_t stores, std::size_t copies,
            std::size_t concurrency, std::size_t bytes);
  ~DiskLimit();

  struct Figures {
    double operations_per_s = 0;
    std::uint64_t operations = 0;
    std::uint64_t syncs = 0;
  };
  // One writer per store; what waits for it is written and synced together, as a group commit does.
  Figures run_grouped(double seconds);
  // Each operation writes and syncs its copies one after another, in files of its own.
  Figures run_one_by_one(double seconds);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bench
