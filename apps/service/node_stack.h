// The services of one node, wired together.
#pragma once

#include "apps/service/lookup_app.h"
#include "past/past.h"
#include "pastry/core/node.h"
#include "pastry/replica/replica.h"
#include "scribe/replica_registry.h"
#include "scribe/scribe.h"

namespace pastry::service {

// What the services of all nodes of a process share.
struct ServiceOptions {
  replica::Options replica;
  past::Options past;
  scribe::Settings scribe;
};

class NodeStack {
  // Knows what the other services say about themselves.
  class OwnLookup final : public LookupApplication {
   public:
    OwnLookup(const Node& node, const NodeStack& stack) : LookupApplication(node), stack_(&stack) {}

   private:
    void add_statistics(NodeStatistics& statistics, Time now) const override;

    const NodeStack* stack_;
  };

 public:
  // Registers every service on `node`. All must outlive this.
  NodeStack(Node& node, const Hash& hash, const ServiceOptions& options);
  NodeStack(const NodeStack&) = delete;
  NodeStack& operator=(const NodeStack&) = delete;

  OwnLookup lookup;
  replica::Replica replica;
  past::Past past;
  scribe::ReplicaRegistry registry;
  scribe::Scribe scribe;
};

}  // namespace pastry::service
