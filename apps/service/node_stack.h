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
 public:
  // Registers every service on `node`. All must outlive this.
  NodeStack(Node& node, const Hash& hash, const ServiceOptions& options);
  NodeStack(const NodeStack&) = delete;
  NodeStack& operator=(const NodeStack&) = delete;

  LookupApplication lookup;
  replica::Replica replica;
  past::Past past;
  scribe::ReplicaRegistry registry;
  scribe::Scribe scribe;
};

}  // namespace pastry::service
