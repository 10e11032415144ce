// A store that fails on demand: wraps another one and injects the faults a test has planned.
//
// Which request a fault hits is told by kind, node and count, never by chance, so that a test can
// fail the n-th disk call for every n.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pastry/core/storage.h"

namespace pastry::replica {

enum class StoreFaultKind : std::uint8_t {
  // The request is not carried out and completes with `error`.
  error,
  // The request is carried out and completes with `error` all the same: what a disk that fails
  // after the write looks like.
  error_after,
  // A get returns its value with one bit flipped; if the entry has a digest and the whole value was
  // asked for, the engine would have noticed, so it completes with corrupt.
  flip_bit,
};

struct StoreFault {
  StoreFaultKind kind = StoreFaultKind::error;
  // Which requests: those of these operations …
  bool puts = false;
  bool gets = false;
  bool erases = false;
  bool scans = false;
  // … of this node, if set …
  std::optional<NodeId> node;
  // … of this entry, if set (puts, gets and erases have one) …
  std::optional<StoreName> name;
  // … after this many of them went through, and then so many.
  std::uint64_t skip = 0;
  std::uint64_t count = UINT64_MAX;
  Error error{ErrorCode::failed, "injected fault"};
};

class FaultStore final : public Store {
 public:
  // `inner` must outlive this.
  explicit FaultStore(Store& inner) : inner_(&inner) {}

  void apply(std::span<const StorageRequest> requests,
             std::vector<StorageCompletion>& completions) override;

  void add(StoreFault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }
  // Puts complete with full until clear(); reads and erases go on.
  void add_disk_full();
  // Requests that a fault has hit so far.
  std::uint64_t injected() const { return injected_; }

 private:
  // The first fault that hits the request; counts it down.
  std::optional<StoreFault> next_fault(const StorageRequest& request);
  void run_one(const StorageRequest& request, std::vector<StorageCompletion>& completions);

  Store* inner_;
  std::vector<StoreFault> faults_;
  std::uint64_t injected_ = 0;
};

}  // namespace pastry::replica
