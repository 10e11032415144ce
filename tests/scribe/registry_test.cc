// Roots' records kept by the replica layer: what both sides of a partition claim.
#include <doctest/doctest.h>

#include "tests/scribe/world.h"

using namespace scribe;
using namespace scribe::test;

namespace {

struct Claims {
  World& world;
  Key group;

  std::vector<Position> answers;

  void begin(NodeIndex node) {
    world.run(node, [&](Context context) {
      world.replicated(node).claim(context, group, "t", {},
                                   [this](Context, const Result<RootRecord>& record) {
                                     if (record) answers.push_back(record->position);
                                   });
    });
  }
};

}  // namespace

TEST_CASE("both sides of a partition claim in the same second and get different epochs") {
  for (const std::int64_t lag : {0, 86'400}) {
    CAPTURE(lag);
    World world({.seed = 81, .nodes = 16, .replicated = true});
    Claims claims{world, world.scribe(world.nodes[0]).group("t"), {}};
    claims.begin(world.nodes[0]);
    world.simulator().run_for(seconds(5));
    REQUIRE(claims.answers.size() == 1);
    // Behind the record, time does not tell the two sides apart at all.
    for (const NodeIndex node : world.nodes) world.simulator().shift_wall_clock(node, -lag);
    for (std::size_t i = 1; i < world.nodes.size(); i += 2) {
      world.simulator().network().set_side(world.nodes[i], 1);
    }
    world.simulator().run_for(seconds(60));
    claims.begin(world.nodes[0]);
    claims.begin(world.nodes[1]);
    world.simulator().run_for(seconds(15));
    REQUIRE(claims.answers.size() == 3);
    const std::uint64_t before = claims.answers[0].epoch;
    const std::uint64_t here = claims.answers[1].epoch;
    const std::uint64_t there = claims.answers[2].epoch;
    CHECK(here > before);
    CHECK(there > before);
    const bool same_second = here >> kEpochLotBits == there >> kEpochLotBits;
    CHECK(same_second);
    CHECK(here != there);
  }
}
