// Many newcomers at once, beside nodes that hold something.
#include "tests/replica/world.h"

namespace pastry::replica::test {

namespace {

struct Crowd {
  Crowd(std::uint64_t seed, int leaf_set) : world(seed, setup(seed, leaf_set)) {
    world.grow(10);
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
  }

  static sim::SimulatorOptions setup(std::uint64_t seed, int leaf_set) {
    auto setup = World::defaults(seed);
    setup.config.leaf_set = leaf_set;
    return setup;
  }

  template <typename Operation>
  auto soon(Operation&& operation) {
    const Time begun = world->now();
    auto result = operation();
    longest = std::max(longest, world->now() - begun);
    return result;
  }
  // What is stored is found, a record is not created again, and what is not stored is not found:
  // all without that a client waits for those who do not know yet.
  void look_around() {
    CHECK(soon([&] { return world.fetch(world.some_active(), blobs[world.chance().below(60)]); }));
    const StoreName& record = records[world.chance().below(60)];
    const auto created = soon([&] { return world.update(world.some_active(), record, 0, {2}); });
    REQUIRE_FALSE(created);
    CHECK(created.error().code == ErrorCode::conflict);
    const auto other = soon([&] { return world.fetch(world.some_active(), world.name()); });
    REQUIRE_FALSE(other);
    CHECK(other.error().code == ErrorCode::not_found);
  }
  // The holders stay.
  void crash_a_newcomer() {
    const auto& holders = world.nodes();
    const NodeIndex node = world.some_active();
    if (std::find(holders.begin(), holders.end(), node) == holders.end()) world.crash(node);
  }

  World world;
  std::vector<StoreName> blobs;
  std::vector<StoreName> records;
  Duration longest{};
};

}  // namespace

TEST_CASE("while a crowd joins nothing stored is missing, and no record is created again") {
  for (std::uint64_t seed = 0; seed < 36; ++seed) {
    CAPTURE(seed);
    Crowd crowd(700 + seed, 8 << seed % 2);
    const Time end = crowd.world->now() + seconds(6);
    while (crowd.world->now() < end) {
      crowd.look_around();
      crowd.world->run_for(milliseconds(10));
    }
    CHECK(crowd.longest < seconds(2));
  }
}

TEST_CASE("nor if some of the crowd die at once") {
  for (std::uint64_t seed = 0; seed < 36; ++seed) {
    CAPTURE(seed);
    Crowd crowd(700 + seed, 4 << seed % 3);
    const Time end = crowd.world->now() + seconds(6);
    Time next_crash = crowd.world->now();
    while (crowd.world->now() < end) {
      crowd.look_around();
      crowd.world->run_for(milliseconds(10));
      if (crowd.world->now() < next_crash) continue;
      crowd.crash_a_newcomer();
      next_crash += seconds(1);
    }
    // "Not found" waits for all who may hold it, or until the others know that one is dead.
    CHECK(crowd.longest < seconds(30));
  }
}

TEST_CASE("nor if all who were there before start again") {
  for (std::uint64_t seed = 0; seed < 36; ++seed) {
    CAPTURE(seed);
    Crowd crowd(700 + seed, 4 << seed % 3);
    crowd.world->run_for(milliseconds(400));
    for (const NodeIndex holder : crowd.world.nodes()) {
      crowd.world.crash(holder);
      crowd.world.restart(holder);
    }
    const Time end = crowd.world->now() + seconds(6);
    while (crowd.world->now() < end) {
      crowd.look_around();
      crowd.world->run_for(milliseconds(10));
    }
  }
}

}  // namespace pastry::replica::test
