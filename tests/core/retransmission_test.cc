// Hops that stay silent (retransmission.cc).
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::grow;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

// A message for the id of a node that joins meanwhile, `delay` after the request. What the former
// root says to the hop before is lost until that one knows the newcomer.
std::vector<Ring::Delivered> route_to_newcomer(Duration delay) {
  Ring ring(small_config(), 5);
  const std::vector<Handle> nodes = grow(ring, 12);
  const Handle former = nodes[3];
  const Handle before = nodes[5];
  const NodeId id = ring.directory().id(former) + Id(1ULL << 40U, 0);
  const Handle newcomer = ring.add(id);
  ring.drop = [&](Handle from, const Send& send) {
    const bool ack = std::holds_alternative<HopAck>(send.message);
    const LeafSet& leaves = ring.node(before).tables().leaf_set;
    return ack && from == former && send.to == before && !leaves.contains(newcomer);
  };
  ring.join(newcomer, {nodes[8]});
  ring.run(delay);
  ring.delivered.clear();
  ring.route(before, id);
  ring.run(seconds(5));
  CHECK(ring.node(newcomer).active());
  CHECK(ring.root(id) == newcomer);
  return ring.delivered;
}

}  // namespace

TEST_CASE("what a root delivered just before it admitted a newcomer is not delivered there again") {
  int by_former = 0;
  for (int delay_ms = 0; delay_ms < 40; ++delay_ms) {
    CAPTURE(delay_ms);
    const std::vector<Ring::Delivered> delivered = route_to_newcomer(milliseconds(delay_ms));
    REQUIRE(delivered.size() == 1);
    by_former += delivered.front().hops == 1;
  }
  CHECK(by_former > 0);
}

TEST_CASE("a message that the former root never answers goes to the newcomer") {
  Ring ring(small_config(), 5);
  const std::vector<Handle> nodes = grow(ring, 12);
  const NodeId id = ring.directory().id(nodes[3]) + Id(1ULL << 40U, 0);
  const Handle newcomer = ring.add(id);
  ring.drop = [&](Handle, const Send& send) {
    return std::holds_alternative<Routed>(send.message) && send.to == nodes[3];
  };
  ring.join(newcomer, {nodes[8]});
  ring.run(milliseconds(1));
  ring.delivered.clear();
  ring.route(nodes[5], id);
  ring.run(seconds(1));
  REQUIRE(ring.delivered.size() == 1);
  CHECK(ring.delivered.front().at == newcomer);
}
