// What a grant says of those between the two: whom the grantor names may still hold a lease, and
// its silence counts if it can vouch (leases.h).
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/core/roots.h"

using namespace pastry;
using pastry::test::grow;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

Lease* grant_in(Send& send) {
  auto* lease = std::get_if<Lease>(&send.message);
  return lease != nullptr && lease->grant != 0 && (lease->left || lease->right) ? lease : nullptr;
}

bool names(const Lease& lease, Handle peer) {
  return std::any_of(lease.guarded.begin(), lease.guarded.end(),
                     [peer](const Lease::Guarded& guarded) { return guarded.first == peer; });
}

Key between(const Ring& ring, Handle left, Handle right, unsigned thousandths) {
  const NodeId& id = ring.directory().id(left);
  return id + Id((ring.directory().id(right) - id).high() / 1000 * thousandths, 0);
}

// How long node 4 leaves the keys of the dead node 6 alone after it found node 5 dead, if node 7
// never names it and says of its silence what `vouches` does.
Duration waited(bool vouches) {
  Ring ring(small_config(), 11);
  const std::vector<Handle> nodes = grow(ring, 12);
  ring.tamper = [&](Handle from, Send& send) {
    if (Lease* lease = grant_in(send); lease != nullptr && from == nodes[7]) {
      lease->guarded.clear();
      lease->vouches = vouches;
    }
  };
  for (const Handle peer : {nodes[6], nodes[5]}) {
    ring.crash(peer);
    while (ring.node(nodes[4]).tables().leaf_set.contains(peer)) ring.run(milliseconds(5));
  }
  // Of those that live closest to node 4, and closer to the dead node 6.
  const Key key = between(ring, nodes[4], nodes[7], 500) - Id(1, 0);
  const Time found = ring.now();
  while (!ring.node(nodes[4]).would_deliver(key, ring.now())) {
    ring.run(milliseconds(5));
    REQUIRE(ring.now() - found < seconds(30));
  }
  return ring.now() - found;
}

}  // namespace

TEST_CASE("who was active for two leases without a break vouches, and nobody else") {
  const Config config = small_config();
  Ring ring(config, 3);
  const std::vector<Handle> nodes = grow(ring, 8);
  std::map<Handle, bool> vouched;
  ring.tamper = [&](Handle from, Send& send) {
    if (const Lease* lease = grant_in(send)) vouched[from] = lease->vouches;
  };
  const Handle newcomer = ring.add();
  ring.join(newcomer, {nodes[0]});
  ring.run(2 * config.lease);
  REQUIRE(ring.node(newcomer).active());
  CHECK_FALSE(vouched.at(newcomer));
  for (const Handle node : nodes) CHECK(vouched.at(node));
  ring.run(2 * config.lease);
  CHECK(vouched.at(newcomer));
  ring.stop(nodes[3]);
  ring.run(config.lease);
  ring.resume(nodes[3]);
  ring.run(config.lease);
  REQUIRE(ring.node(nodes[3]).active());
  CHECK_FALSE(vouched.at(nodes[3]));
  ring.run(2 * config.lease);
  CHECK(vouched.at(nodes[3]));
}

TEST_CASE("who was cut off, alone or with another, does not vouch when it is back") {
  const Config config = small_config();
  for (const bool alone : {true, false}) {
    CAPTURE(alone);
    Ring ring(config, 3);
    const std::vector<Handle> nodes = grow(ring, 8);
    const auto away = [&](Handle peer) { return peer == nodes[3] || (!alone && peer == nodes[6]); };
    ring.drop = [&](Handle from, const Send& send) { return away(from) != away(send.to); };
    ring.run(seconds(60));
    REQUIRE(ring.node(nodes[3]).active());
    REQUIRE(ring.node(nodes[3]).alone() == alone);
    std::map<Handle, bool> vouched;
    ring.tamper = [&](Handle from, Send& send) {
      const Lease* lease = grant_in(send);
      if (lease != nullptr && !away(send.to)) vouched[from] = lease->vouches;
    };
    ring.drop = nullptr;
    ring.at(nodes[3], [&](Context context) {
      static_cast<void>(context.send(nodes[2], Payload(), {}));  // so that the two meet again
    });
    for (int i = 0; i < 2000 && !vouched.contains(nodes[3]); ++i) ring.run(milliseconds(20));
    REQUIRE(vouched.contains(nodes[3]));
    CHECK_FALSE(vouched.at(nodes[3]));
    ring.run(seconds(20));
    CHECK(vouched.at(nodes[3]));
  }
}

TEST_CASE("only the silence of who vouches shows that a dead node holds nothing") {
  const Config config = small_config();
  CHECK(waited(true) < config.lease);
  CHECK(waited(false) >= config.lease);
}

TEST_CASE("a neighbour is not told what only it has said, the next one is") {
  Ring ring(small_config(), 5);
  const std::vector<Handle> nodes = grow(ring, 8);
  const Handle guarding = nodes[2];
  const Handle dead = ring.add(between(ring, guarding, nodes[3], 500));
  bool told = false;
  ring.tamper = [&](Handle from, Send& send) {
    Lease* lease = grant_in(send);
    if (lease == nullptr) return;
    if (from == nodes[3] && send.to == guarding) lease->guarded.emplace_back(dead, seconds(10));
    told |= from == guarding && names(*lease, dead);
  };
  ring.run(seconds(3));
  const Key key = between(ring, guarding, nodes[3], 300);
  REQUIRE_FALSE(ring.node(guarding).would_deliver(key, ring.now()));
  CHECK_FALSE(told);
  ring.leave(nodes[3]);
  ring.run(seconds(1));
  REQUIRE(ring.node(guarding).tables().leaf_set.right_neighbour() == nodes[4]);
  CHECK(told);
}
