// Nearness by addresses, as descriptions tell them.
#include "pastry/wire/subnet_metric.h"

#include <doctest/doctest.h>

#include <string>

namespace pastry::wire {
namespace {

struct Hosts {
  Handle at(const std::string& address) {
    PeerInfo info;
    info.id = NodeId(directory.size(), 1);
    if (!address.empty()) info.host.addresses = {address};
    return directory.intern(info);
  }
  proximity::Proximity between(const std::string& a, const std::string& b) {
    return SubnetMetric().distance(directory, at(a), at(b));
  }
  std::uint64_t bits(const std::string& a, const std::string& b) {
    return proximity::units_of(between(a, b));
  }

  Directory directory;
};

TEST_CASE("subnets: the bits behind the common prefix, ports aside") {
  Hosts hosts;
  CHECK(hosts.bits("tcp://10.0.0.1:5", "tcp://10.0.0.1:6") == 0);
  CHECK(hosts.bits("tcp://10.0.0.1:5", "tcp://10.0.0.255:5") == 8);
  CHECK(hosts.bits("tcp://10.0.0.1:5", "tcp://138.0.0.1:5") == 32);
  CHECK(hosts.bits("tcp://[fd00::1]:5", "tcp://[fd00::1:0:0:1]:5") == 49);
  CHECK(hosts.bits("tcp://[fd00::1]:5", "tcp://10.0.0.1:5") == 128);
}

TEST_CASE("subnets: who has a name or no address is at no known distance") {
  Hosts hosts;
  for (const char* other : {"tcp://example.org:5", "", "ipc://here"}) {
    CAPTURE(other);
    CHECK_FALSE(hosts.between("tcp://10.0.0.1:5", other).known());
    CHECK_FALSE(hosts.between(other, "tcp://10.0.0.1:5").known());
  }
}

}  // namespace
}  // namespace pastry::wire
