// Copies of messages that wait for a root: the hop before keeps one until the holder is done, and a
// neighbour serves as witness where the root fell silent too late (custody.cc).
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::grow;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

// A key of `node` that its left neighbour will be the root of.
Key key_below(const Ring& ring, Handle left, Handle node) {
  const Id& low = ring.directory().id(left);
  const Id span = ring.directory().id(node) - low;
  return low + Id(span.high() / 8 * 5, 0);
}

// Until `left` has found `dead` dead; the guard on its keys stands for some time more.
void await_death(Ring& ring, Handle left, Handle dead) {
  for (int i = 0; i < 2000 && ring.node(left).tables().leaf_set.contains(dead); ++i) {
    ring.run(milliseconds(5));
  }
  REQUIRE_FALSE(ring.node(left).tables().leaf_set.contains(dead));
}

bool held(const Send& send) {
  const auto* ack = std::get_if<HopAck>(&send.message);
  return ack != nullptr && ack->held;
}

// Counts messages of a kind without losing any.
template <typename Wanted>
void count(Ring& ring, int& counted, Wanted wanted) {
  ring.drop = [&counted, wanted](Handle, const Send& send) {
    if (wanted(send)) ++counted;
    return false;
  };
}

}  // namespace

TEST_CASE("what waits for a dead node's leases survives the crash of its holder") {
  Ring ring(small_config(), 3);
  const std::vector<Handle> nodes = grow(ring, 8);
  Handle holder = kNoHandle;
  ring.drop = [&](Handle from, const Send& send) {
    if (held(send)) holder = from;
    return false;
  };
  ring.crash(nodes[3]);
  for (const Handle node : {nodes[2], nodes[0]}) await_death(ring, node, nodes[3]);
  const Key key = key_below(ring, nodes[2], nodes[3]);
  ring.delivered.clear();
  ring.route(nodes[0], key);
  ring.run(milliseconds(20));
  REQUIRE(ring.delivered.empty());
  REQUIRE(holder != kNoHandle);
  ring.crash(holder);
  ring.run(seconds(20));
  REQUIRE(ring.delivered.size() == 1);
  CHECK(ring.delivered.front().at == ring.root(key));
}

TEST_CASE("a copy goes when the holder is done, also if its word is lost once") {
  for (const bool lost : {false, true}) {
    CAPTURE(lost);
    Ring ring(small_config(), 3);
    const std::vector<Handle> nodes = grow(ring, 8);
    ring.crash(nodes[3]);
    for (const Handle node : {nodes[2], nodes[0]}) await_death(ring, node, nodes[3]);
    ring.delivered.clear();
    int dropped = 0;
    int routed = 0;
    Handle holder = kNoHandle;
    ring.drop = [&](Handle from, const Send& send) {
      if (held(send)) holder = from;
      if (std::holds_alternative<Routed>(send.message)) ++routed;
      const bool done = std::holds_alternative<HopAck>(send.message) && !held(send);
      return lost && done && from == holder && dropped++ == 0;
    };
    ring.route(nodes[0], key_below(ring, nodes[2], nodes[3]));
    ring.run(seconds(10));
    CHECK(ring.delivered.size() == 1);
    CHECK(holder != kNoHandle);
    CHECK((dropped > 0) == lost);
    // Nobody asks any more.
    const int before = routed;
    ring.run(seconds(20));
    CHECK(routed == before);
    CHECK(ring.delivered.size() == 1);
  }
}

TEST_CASE("a message taken on before its root fell silent has a witness") {
  Ring ring(small_config(), 3);
  const std::vector<Handle> nodes = grow(ring, 8);
  const Key key = key_below(ring, nodes[2], nodes[3]);
  int witnessed = 0;
  count(ring, witnessed, [](const Send& send) {
    const auto* routed = std::get_if<Routed>(&send.message);
    return routed != nullptr && routed->header.witnessed;
  });
  ring.crash(nodes[3]);
  ring.delivered.clear();
  // From the node that will be root itself: nobody before it has a copy.
  ring.route(nodes[2], key);
  await_death(ring, nodes[2], nodes[3]);
  ring.run(milliseconds(20));
  REQUIRE(ring.delivered.empty());
  CHECK(witnessed > 0);
  ring.crash(nodes[2]);
  ring.run(seconds(20));
  REQUIRE(ring.delivered.size() == 1);
  CHECK(ring.delivered.front().at == ring.root(key));
}

TEST_CASE("who holds all that it can takes no more on, and the hop before keeps it") {
  Config config = small_config();
  config.inactive_buffer_max = 4;
  Ring ring(config, 3);
  const std::vector<Handle> nodes = grow(ring, 8);
  ring.crash(nodes[3]);
  await_death(ring, nodes[2], nodes[3]);
  ring.delivered.clear();
  const Key key = key_below(ring, nodes[2], nodes[3]);
  for (int i = 0; i < 12; ++i) ring.route(nodes[0], key);
  ring.run(seconds(20));
  CHECK(ring.delivered.size() == 12);
}

TEST_CASE("one lost request for a lease makes nobody doubt the neighbour") {
  Ring ring(small_config(), 4);
  const std::vector<Handle> nodes = grow(ring, 8);
  int requests = 0;
  int probes = 0;
  ring.drop = [&](Handle from, const Send& send) {
    const auto* probe = std::get_if<LeafProbe>(&send.message);
    if (probe != nullptr && !probe->failed.empty()) ++probes;
    const auto* lease = std::get_if<Lease>(&send.message);
    const bool request = lease != nullptr && lease->request != 0 && lease->grant == 0;
    return request && from == nodes[4] && requests++ % 2 == 0;
  };
  ring.run(seconds(15));
  CHECK(requests > 8);
  CHECK(probes == 0);
  CHECK(ring.wrong_neighbours() == 0);
}
