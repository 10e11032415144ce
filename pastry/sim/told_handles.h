// The checker of "no node knows what no message told it".
//
// All simulated hosts share one Directory, so a node could learn from it about peers that nobody
// told it. Here, per node, stands what it was told: the peers named in messages that reached it,
// their senders, its seeds, the peers it remembered over a restart, and itself. A peer in a message
// that it sends, or in its tables, that is not among them is a violation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pastry/core/directory.h"
#include "pastry/core/message.h"
#include "pastry/core/routing.h"
#include "pastry/sim/network.h"

namespace pastry::sim {

class ToldHandles {
 public:
  void tell(NodeIndex node, Handle peer);
  // Everything that `message` names.
  void tell(NodeIndex node, const Message& message);
  bool was_told(NodeIndex node, Handle peer) const;
  // The node forgets everything, as a process that ends does.
  void forget(NodeIndex node);

  // Notes a violation for each peer in `message`, or `to`, that `from` was not told.
  void check_send(NodeIndex from, Handle to, const Message& message);
  // The same for all of a node's tables.
  void check_tables(NodeIndex node, const Tables& tables);

  std::uint64_t violations() const { return violations_; }
  // Descriptions of the first violations.
  const std::vector<std::string>& examples() const { return examples_; }

 private:
  void violation(NodeIndex node, Handle peer, std::string_view where);

  std::vector<std::vector<std::uint64_t>> told_;  // per node a bit per handle
  std::uint64_t violations_ = 0;
  std::vector<std::string> examples_;
};

}  // namespace pastry::sim
