#include "pastry/replica/fault_store.h"

#include <utility>
#include <variant>

namespace pastry::replica {

namespace {

bool hits(const StoreFault& fault, const StorageRequest& request) {
  if (fault.node && *fault.node != request.node) return false;
  const StoreName* name = nullptr;
  bool kind = false;
  if (const auto* put = std::get_if<StorePut>(&request.operation)) {
    kind = fault.puts;
    name = &put->name;
  } else if (const auto* get = std::get_if<StoreGet>(&request.operation)) {
    kind = fault.gets;
    name = &get->name;
  } else if (const auto* erase = std::get_if<StoreErase>(&request.operation)) {
    kind = fault.erases;
    name = &erase->name;
  } else if (std::holds_alternative<StoreScan>(request.operation)) {
    kind = fault.scans;
  }
  if (!kind) return false;
  return !fault.name || (name != nullptr && *fault.name == *name);
}

void flip_first_bit(StorageCompletion& completion, bool checked) {
  if (!completion.result) return;
  auto* got = std::get_if<StoreGetDone>(&*completion.result);
  if (got == nullptr || got->value.empty()) return;
  if (checked && got->entry.digest && got->value.size() == got->entry.size) {
    completion.result =
        fail(ErrorCode::corrupt, "the stored bytes do not match their digest (injected)");
    return;
  }
  const ByteView old = got->value.view();
  Bytes bytes(old.begin(), old.end());
  bytes[0] ^= 1;
  got->value = Payload(std::move(bytes));
}

}  // namespace

void FaultStore::add_disk_full() {
  StoreFault fault;
  fault.puts = true;
  fault.error = {ErrorCode::full, "no space left (injected)"};
  add(std::move(fault));
}

std::optional<StoreFault> FaultStore::next_fault(const StorageRequest& request) {
  for (StoreFault& fault : faults_) {
    if (!hits(fault, request)) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (fault.count == 0) continue;
    --fault.count;
    return fault;
  }
  return std::nullopt;
}

void FaultStore::run_one(const StorageRequest& request,
                         std::vector<StorageCompletion>& completions) {
  const std::optional<StoreFault> fault = next_fault(request);
  if (!fault) {
    inner_->apply({&request, 1}, completions);
    return;
  }
  ++injected_;
  if (fault->kind == StoreFaultKind::error) {
    completions.push_back(
        {request.node, request.application, request.tag, tl::unexpected(fault->error)});
    return;
  }
  inner_->apply({&request, 1}, completions);
  if (fault->kind == StoreFaultKind::flip_bit) {
    const auto* get = std::get_if<StoreGet>(&request.operation);
    flip_first_bit(completions.back(), get == nullptr || get->check);
  } else {
    completions.back().result = tl::unexpected(fault->error);
  }
}

void FaultStore::apply(std::span<const StorageRequest> requests,
                       std::vector<StorageCompletion>& completions) {
  if (faults_.empty()) {
    inner_->apply(requests, completions);
    return;
  }
  for (const StorageRequest& request : requests) run_one(request, completions);
}

}  // namespace pastry::replica
