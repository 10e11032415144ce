#include "pastry/sim/process_usage.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

namespace pastry::sim {

namespace {

constexpr std::uintptr_t kHugePage = std::uintptr_t{2} << 20;
// The heap grows by this much at a time, most of it untouched at first.
constexpr int kHeapStep = 64 << 20;

std::uintptr_t heap_end() { return reinterpret_cast<std::uintptr_t>(sbrk(0)); }

}  // namespace

HugeHeap::HugeHeap() : advised_(heap_end()) { mallopt(M_TOP_PAD, kHeapStep); }

void HugeHeap::follow() {
  const std::uintptr_t end = heap_end();
  if (end <= advised_) return;
  const std::uintptr_t begin = advised_ / kHugePage * kHugePage;
  advised_ = end;
  // Advice: where it is not taken the simulation is slower, nothing else.
  static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
}

std::uint64_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace pastry::sim
