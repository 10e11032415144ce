#include "pastry/sim/fuzz/copy_ledger.h"

#include <algorithm>

namespace pastry::sim::fuzz {

bool CopyLedger::arrived(Handle node, NodeIndex holder, const HopAck& ack) {
  if (ack.held) {
    std::set<Hop>& held = held_[node];
    for (const auto& [first, count] : ack.ranges) {
      for (std::uint32_t i = 0; i < count; ++i) held.emplace(holder, first + i);
    }
    return false;
  }
  const auto told = held_.find(node);
  if (told == held_.end()) return false;
  const std::size_t ended = std::erase_if(told->second, [&](const Hop& hop) {
    return hop.first == holder &&
           std::any_of(ack.ranges.begin(), ack.ranges.end(),
                       [&](const auto& range) { return hop.second - range.first < range.second; });
  });
  return ended > 0;
}

std::size_t CopyLedger::copies_max(Handle node) const {
  const auto told = held_.find(node);
  return told == held_.end() ? 0 : told->second.size();
}

}  // namespace pastry::sim::fuzz
