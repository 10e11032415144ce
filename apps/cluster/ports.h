// Free ports of the loopback interface for the processes of a test cluster.
#pragma once

#include <cstdint>

#include "pastry/core/error.h"

namespace pastry::cluster {

// A host listens on three consecutive ports.
inline constexpr int kPortsPerProcess = 3;

// Whether something can listen there now.
bool port_is_free(int port);

// Error: conflict, naming the first port that is taken.
Result<void> check_ports(int base, int count);

// The first of `count` consecutive free ports, below the range from which the system takes ports
// for outgoing connections. Error: full.
Result<int> find_free_ports(int count);

}  // namespace pastry::cluster
