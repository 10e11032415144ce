// Where the state of a topic's root outlives the root.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "pastry/core/application.h"
#include "scribe/position.h"

namespace scribe {

// What is kept of a topic on its replica set.
struct RootRecord {
  std::string topic;
  pastry::NodeId creator;  // the node that was root first
  Position position;       // epoch of the present root; an offset that was given out before it
  bool made = false;       // by this claim: no other was found; not kept
};

class RootRegistry {
 public:
  virtual ~RootRegistry() = default;

  // The claim's record: its epoch belongs to the caller alone. Errors: unavailable, timed_out.
  using ClaimCallback = std::function<void(pastry::Context, const pastry::Result<RootRecord>&)>;

  // Raises the epoch of the record of `group` above both the stored one and `known.epoch` (by how
  // much is the registry's choice) by a conditional update, making the record if there is none.
  // `topic` may be empty if the caller does not know the name. The callback comes later, never from
  // within the call; the context is that of the application that claimed.
  virtual void claim(pastry::Context context, const pastry::Key& group, std::string_view topic,
                     const Position& known, ClaimCallback done) = 0;
};

}  // namespace scribe
