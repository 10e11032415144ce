#include "pastry/sim/told_handles.h"

#include "pastry/core/message_handles.h"
#include "pastry/sim/message_visit.h"

namespace pastry::sim {

namespace {
constexpr std::size_t kExamples = 10;
}

void ToldHandles::tell(NodeIndex node, Handle peer) {
  if (peer == kNoHandle) return;
  if (index(node) >= told_.size()) told_.resize(index(node) + 1);
  std::vector<std::uint64_t>& bits = told_[index(node)];
  const std::size_t word = index(peer) / 64;
  if (word >= bits.size()) bits.resize(word + 1);
  bits[word] |= std::uint64_t{1} << (index(peer) % 64);
}

void ToldHandles::tell(NodeIndex node, const Message& message) {
  for_each_handle(message, [this, node](Handle peer) { tell(node, peer); });
}

bool ToldHandles::was_told(NodeIndex node, Handle peer) const {
  if (index(node) >= told_.size()) return false;
  const std::vector<std::uint64_t>& bits = told_[index(node)];
  const std::size_t word = index(peer) / 64;
  return word < bits.size() && (bits[word] >> (index(peer) % 64) & 1) != 0;
}

void ToldHandles::forget(NodeIndex node) {
  if (index(node) < told_.size()) told_[index(node)].clear();
}

void ToldHandles::check_send(NodeIndex from, Handle to, const Message& message) {
  if (!was_told(from, to)) violation(from, to, "sent to");
  for_each_handle(message, [&](Handle peer) {
    if (!was_told(from, peer)) violation(from, peer, message_kind(message));
  });
}

void ToldHandles::check_tables(NodeIndex node, const Tables& tables) {
  const auto check = [&](Handle peer, std::string_view where) {
    if (!was_told(node, peer)) violation(node, peer, where);
  };
  for (const Handle peer : tables.leaf_set.members()) check(peer, "leaf set");
  for (const Handle peer : tables.neighbourhood.members()) check(peer, "neighbourhood set");
  for (int row = 0; row < tables.routing_table.rows_used(); ++row) {
    for (const Handle peer : tables.routing_table.row(row)) check(peer, "routing table");
  }
}

void ToldHandles::violation(NodeIndex node, Handle peer, std::string_view where) {
  ++violations_;
  if (examples_.size() >= kExamples) return;
  examples_.push_back("node " + std::to_string(index(node)) + " was never told of handle " +
                      std::to_string(index(peer)) + " (" + std::string(where) + ")");
}

}  // namespace pastry::sim
