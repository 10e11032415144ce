// Emulated topologies as options name them; the files of matrices are read here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "pastry/core/error.h"
#include "pastry/core/timestamp.h"
#include "proximity/topology.h"

namespace pastry::cli {

// Largest file of a delay matrix.
inline constexpr std::size_t kTopologyFileBytesMax = std::size_t{256} << 20;

// proximity::parse_topology with files. Error: invalid, in one line.
Result<std::shared_ptr<const proximity::Topology>> read_topology(const std::string& text,
                                                                 std::uint64_t seed);

// Whether live nodes do not look dead to each other: error invalid, in one line, if of the pairs
// among the first `nodes` places more than one in a hundred have a round trip longer than
// `probe_timeout`. Measured delays have a few of those, and such a pair talks over a third node.
Result<void> check_round_trips(const proximity::Topology& topology, const std::string& text,
                               std::uint64_t nodes, Duration probe_timeout);

// The same topology for a process that runs in another directory.
std::string absolute_topology(const std::string& text);

}  // namespace pastry::cli
