#include "apps/service/node_stack.h"

#include "pastry/core/application_ids.h"

namespace pastry::service {

NodeStack::NodeStack(Node& node, const Hash& hash, const ServiceOptions& options)
    : lookup(node, *this),
      replica(hash, options.replica),
      past(replica, hash, options.past),
      registry(replica),
      scribe(options.scribe, &registry) {
  node.add_application(kLookupApplication, lookup);
  node.add_application(kReplicaApplication, replica);
  node.add_application(kScribeApplication, scribe);
}

void NodeStack::OwnLookup::add_statistics(NodeStatistics& statistics, Time now) const {
  const replica::Status status = stack_->replica.status();
  statistics.blobs = status.blobs;
  statistics.files = status.files;
  statistics.records = status.records;
  statistics.bytes = status.bytes;
  statistics.under_replicated = status.under_replicated;
  statistics.bytes_to_repair = status.bytes_to_repair;
  statistics.short_of_nodes = status.short_of_nodes;
  statistics.nodes_wanted = status.nodes_wanted;
  if (status.counted) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - *status.counted);
    statistics.counted_age_ms = static_cast<std::uint64_t>(age.count());
  }
  statistics.uncounted = status.uncounted;
  statistics.pending_pulls = status.pending_pulls;
  statistics.pending_pull_bytes = status.pending_pull_bytes;
  statistics.settled = !status.scanning && status.settled;
  statistics.topics = stack_->scribe.topic_count();
}

}  // namespace pastry::service
