// Parameters of the replica layer; one object serves all nodes of a host.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pastry/core/config.h"
#include "pastry/core/timestamp.h"

namespace pastry::replica {

struct Options {
  // --- Operations of clients ---

  // When an operation gives up unless its caller names a deadline.
  Duration operation_deadline = seconds(60);
  // How long one request to one holder may take (bulk data and a sync on a busy disk included).
  Duration attempt_timeout = seconds(8);
  // How long the root may take to say who the replica set is, before it is asked again.
  Duration locate_timeout = seconds(2);
  // A holder that has not answered a read for so long gets company: the next one is asked too.
  Duration hedge_delay = seconds(1);
  // Pause before the next attempt: doubling from … up to, jittered.
  Duration retry_min = milliseconds(200);
  Duration retry_max = seconds(3);
  // Bounds on operations of clients, and on reads served to peers, at a time.
  std::size_t operations_max = 4096;
  std::size_t serving_max = 256;
  // Bytes of puts from peers that may wait for the disk (beyond, the sender is told to wait), and
  // of updates of records that may wait for their turn (beyond, they are dropped and repeated).
  std::size_t storing_bytes_max = 64U << 20;

  // --- Maintenance ---

  // From a change of the leaf set to the comparison with its members (jittered by half).
  Duration settle_delay = milliseconds(600);
  // Between two comparisons while nothing changes, and while something is known to be missing.
  Duration maintenance_period = seconds(60);
  Duration maintenance_period_busy = seconds(2);
  // Entries compared at a time.
  std::uint32_t page_entries = 256;
  // Entries known to be missing here; further ones wait for the next comparison.
  std::size_t pulls_max = 4096;
  // Pulls under way, at most so many and so many bytes, and the cap on their rate.
  std::size_t pull_window = 8;
  std::size_t pull_window_bytes = 16U << 20;
  std::uint64_t repair_bytes_per_second = 64U << 20;
  // A blob with a parent that does not exist in two checks, this far apart, is dropped: how long an
  // upload may take.
  Duration lease = std::chrono::hours(6);
};

}  // namespace pastry::replica
