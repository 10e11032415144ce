// How many copies of messages a node may keep for others, by what it was told.
//
// A node keeps a copy of a message because the next hop said that it is held there, and until that
// one says that it is done. Here stands what reached the node of that, whatever the node makes of
// it: it may have fewer copies, because it bounds them and sends them elsewhere when the holder
// dies, but never more. Only what arrived counts, so that it does not matter what is lost, repeated
// or overtaken on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "pastry/core/message.h"
#include "pastry/sim/network.h"

namespace pastry::sim::fuzz {

class CopyLedger {
 public:
  // An acknowledgement reached `node`, an incarnation. True if copies end with it.
  bool arrived(Handle node, NodeIndex holder, const HopAck& ack);
  std::size_t copies_max(Handle node) const;
  // The incarnation ended.
  void forget(Handle node) { held_.erase(node); }

 private:
  // The holder, whatever its incarnation, and the number of the hop, which only its sender counts.
  using Hop = std::pair<NodeIndex, std::uint32_t>;

  std::map<Handle, std::set<Hop>> held_;
};

}  // namespace pastry::sim::fuzz
