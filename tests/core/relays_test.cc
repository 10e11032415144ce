// Links over a third node: leaves that cannot talk straight.
#include <doctest/doctest.h>

#include "tests/core/ring.h"

using namespace pastry;
using pastry::test::Ring;
using pastry::test::small_config;

namespace {

NodeId place(std::uint64_t high) { return {high << 48, 0}; }

// Ten nodes in even distances; the link between `one` and `two` does not work once it is cut.
struct Cut {
  Cut() : ring(small_config()) {
    const Handle first = ring.add(place(0x0000));
    ring.found(first);
    for (std::uint64_t high = 0x1000; high <= 0x9000; high += 0x1000) {
      ring.join(ring.add(place(high)), {first});
    }
    ring.run(seconds(5));
    REQUIRE(ring.wrong_neighbours() == 0);
  }
  void cut(Handle a, Handle b) {
    one = a;
    two = b;
    ring.drop = [this](Handle from, const Send& send) {
      return (from == one && send.to == two) || (from == two && send.to == one);
    };
  }
  bool leaves_of_each_other() {
    return ring.node(one).tables().leaf_set.contains(two) &&
           ring.node(two).tables().leaf_set.contains(one);
  }

  Ring ring;
  Handle one = kNoHandle;
  Handle two = kNoHandle;
};

}  // namespace

TEST_CASE("whoever is pushed out of the leaf set passes nothing on any more: another one does") {
  Cut test;
  Ring& ring = test.ring;
  const std::vector<Handle> before = ring.live();
  test.cut(before[4], before[5]);
  ring.run(seconds(5));
  REQUIRE(test.leaves_of_each_other());
  // Between the two, who so exchange no leases any more, and between them and those beside them,
  // one of whom passes their messages on.
  const auto between = {0x4800, 0x3200, 0x3400, 0x3600, 0x3800, 0x5200, 0x5400, 0x5600, 0x5800};
  for (const int high : between) {
    ring.join(ring.add(place(static_cast<std::uint64_t>(high))), {before[0]});
    ring.run(milliseconds(200));
  }
  REQUIRE(ring.wrong_neighbours() == 0);
  REQUIRE(test.leaves_of_each_other());
  for (const Handle beside : {before[3], before[6]}) {
    REQUIRE_FALSE(ring.node(test.one).tables().leaf_set.contains(beside));
  }
  for (const auto& [from, to] : {std::pair(test.one, test.two), std::pair(test.two, test.one)}) {
    ring.at(from,
            [peer = to](Context context) { CHECK(context.request(peer, Payload::copy_of("x"))); });
    ring.run(milliseconds(100));
    CHECK(ring.member(from).answers.size() == 1);
  }
}

TEST_CASE("a leaf that was only pinged is asked over others, too, before it is declared dead") {
  Cut test;
  Ring& ring = test.ring;
  const std::vector<Handle> nodes = ring.live();
  test.cut(nodes[4], nodes[6]);
  Outbox lost;  // the ping that measures whoever announces itself
  ring.node(test.one).receive(ring.now(), test.two, Announce{}, lost);
  REQUIRE(std::holds_alternative<Ping>(lost.sends.front().message));
  for (int i = 0; i < 500; ++i) {
    ring.run(milliseconds(10));
    REQUIRE(test.leaves_of_each_other());
  }
}
