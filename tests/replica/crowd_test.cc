// Many newcomers at once, beside nodes that hold something.
#include "tests/replica/world.h"

namespace pastry::replica::test {

TEST_CASE("while a crowd joins nothing stored is missing, and no record is created again") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    auto setup = World::defaults(700 + seed);
    setup.config.leaf_set = seed % 2 == 0 ? 8 : 16;
    World world(700 + seed, setup);
    world.grow(10);
    std::vector<StoreName> blobs;
    std::vector<StoreName> records;
    for (int i = 0; i < 60; ++i) {
      blobs.push_back(world.name());
      REQUIRE(world.put(world.some_active(), blobs.back(), world.bytes(200)));
      records.push_back(world.name());
      REQUIRE(world.update(world.some_active(), records.back(), 0, {1}));
    }
    world->run_for(seconds(20));
    for (int i = 0; i < 90; ++i) {
      world->join(world->add_node(), world.nodes()[world.chance().below(10)]);
    }
    const Time end = world->now() + seconds(4);
    while (world->now() < end) {
      CHECK(world.fetch(world.some_active(), blobs[world.chance().below(60)]));
      const StoreName& record = records[world.chance().below(60)];
      const auto created = world.update(world.some_active(), record, 0, {2});
      REQUIRE_FALSE(created);
      CHECK(created.error().code == ErrorCode::conflict);
      const auto other = world.fetch(world.some_active(), world.name());
      REQUIRE_FALSE(other);
      CHECK(other.error().code == ErrorCode::not_found);
      world->run_for(milliseconds(10));
    }
  }
}

}  // namespace pastry::replica::test
