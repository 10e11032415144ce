// Blobs on a simulated ring: placement, acknowledgement, reading, removal.
#include "tests/replica/world.h"

namespace pastry::replica::test {

TEST_CASE("a put lands on the k closest nodes and any node reads it") {
  World world(1);
  world.grow(20);
  for (const std::size_t size : {0, 1, 4096, 4097, 100000, 1 << 20}) {
    const StoreName name = world.name();
    const Payload value = world.bytes(size);
    const auto put = world.put(world.some_active(), name, value);
    REQUIRE_MESSAGE(put, put.error().message);
    CHECK(put->copies == 3);
    CHECK(put->wanted == 3);
    CHECK(world.on_exactly_its_set(name, 3));
    const auto blob = world.fetch(world.some_active(), name);
    REQUIRE_MESSAGE(blob, blob.error().message);
    CHECK(blob->value == value);
    CHECK(blob->meta == Bytes{1, 2, 3});
    CHECK(blob->wanted == 3);
  }
}

TEST_CASE("k out of range is invalid, k above the ring is unavailable") {
  World world(2);
  world.grow(2);
  const auto at = world.nodes()[0];
  CHECK(world.put(at, world.name(), world.bytes(10), 0).error().code == ErrorCode::invalid);
  CHECK(world.put(at, world.name(), world.bytes(10), 6).error().code == ErrorCode::invalid);
  const auto put = world.put(at, world.name(), world.bytes(10), 3);
  REQUIRE(!put);
  CHECK(put.error().code == ErrorCode::unavailable);
  CHECK(put.error().message == "too few replicas: 3 copies wanted, 2 distinct stores in the ring");
  const auto fewer = world.put(at, world.name(), world.bytes(10), 3, 1);
  REQUIRE(fewer);
  CHECK(fewer->copies == 2);
  CHECK(fewer->wanted == 3);
  CHECK(world.put(at, world.name(), world.bytes((1 << 20) + 1), 1).error().code ==
        ErrorCode::too_large);
}

TEST_CASE("a node alone keeps one copy") {
  World world(3);
  world.grow(1);
  const StoreName name = world.name();
  REQUIRE(world.put(world.nodes()[0], name, world.bytes(10), 1));
  CHECK(world.fetch(world.nodes()[0], name).has_value());
  CHECK(world.fetch(world.nodes()[0], world.name()).error().code == ErrorCode::not_found);
}

TEST_CASE("what nobody has is not found, and so is what was removed") {
  World world(4);
  world.grow(12);
  const StoreName name = world.name();
  CHECK(world.fetch(world.some_active(), name).error().code == ErrorCode::not_found);
  CHECK(world.where(world.some_active(), name).error().code == ErrorCode::not_found);
  CHECK(world.remove(world.some_active(), name).error().code == ErrorCode::not_found);
  REQUIRE(world.put(world.some_active(), name, world.bytes(5000)));
  REQUIRE(world.remove(world.some_active(), name));
  CHECK(world.holders(name).empty());
  CHECK(world.fetch(world.some_active(), name).error().code == ErrorCode::not_found);
  CHECK(world.remove(world.some_active(), name).error().code == ErrorCode::not_found);
  CHECK(world.put(world.some_active(), name, world.bytes(5000)).error().code ==
        ErrorCode::conflict);
}

TEST_CASE("a put that times out says who has not acknowledged, and why") {
  World world(7);
  world.grow(8);
  const StoreName name = world.name();
  const NodeIndex broken = world.closest(name.key(), 2)[1];
  StoreName beside = name;  // with the same key
  beside.bytes.back() ^= 1;
  REQUIRE(world.put(world.some_active(), beside, world.bytes(10)));
  StoreFault fault;
  fault.puts = true;
  world.store(broken).faults.add(fault);
  const auto at = world.some_active();
  const auto put = world.wait<PutResult>(at, [&](Context context, auto done) {
    BlobOptions blob;
    blob.copies.deadline = seconds(5);
    world.replica(at).put_blob(context, name, world.bytes(10), blob, done);
  });
  REQUIRE(!put);
  CHECK(put.error().code == ErrorCode::timed_out);
  CHECK(put.error().message ==
        "only 2 of 3 holders acknowledged in time: " + world->id(broken).hex().substr(0, 8) +
            " could not write to its disk");
}

TEST_CASE("putting the same bytes again is fine, other bytes conflict") {
  World world(5);
  world.grow(8);
  const StoreName name = world.name();
  const Payload value = world.bytes(1000);
  REQUIRE(world.put(world.some_active(), name, value));
  CHECK(world.put(world.some_active(), name, value).has_value());
  CHECK(world.put(world.some_active(), name, world.bytes(1000)).error().code ==
        ErrorCode::conflict);
  CHECK(world.fetch(world.some_active(), name)->value == value);
}

TEST_CASE("where names the holders in the order of distance") {
  World world(6);
  world.grow(12);
  const StoreName name = world.name();
  REQUIRE(world.put(world.some_active(), name, world.bytes(100)));
  const auto where = world.where(world.some_active(), name);
  REQUIRE(where);
  CHECK(where->copies == 3);
  CHECK(where->wanted == 3);
  CHECK(where->size == 100);
  REQUIRE(where->holders.size() == 3);
  const auto set = world.closest(name.key(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(where->holders[i].id == world->id(set[i]));
    CHECK(where->holders[i].distance_rank == static_cast<int>(i));
    CHECK(where->holders[i].state == HolderState::holds);
  }
}

// Where a few failure domains have many nodes each, what the root sees and what the nodes it
// chooses see differ most.
TEST_CASE("with few failure domains copies go where the root says, and stay there") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    World world(300 + seed);
    const std::size_t domains = 2 + seed % 3;
    std::vector<std::string> labels;
    for (std::size_t i = 0; i < 12; ++i) labels.push_back("domain " + std::to_string(i % domains));
    for (std::size_t i = labels.size(); i > 1; --i) {
      std::swap(labels[i - 1], labels[world.chance().below(i)]);
    }
    for (const std::string& label : labels) world.grow_in(label);
    std::vector<StoreName> names;
    for (int i = 0; i < 60; ++i) {
      names.push_back(world.name());
      const Time begun = world->now();
      const auto put = world.put(world.some_active(), names.back(), world.bytes(100));
      REQUIRE_MESSAGE(put, put.error().message);
      CHECK(world->now() - begun < seconds(1));
      CHECK(world.holders(names.back()) == world.chosen(names.back(), 3));
    }
    world->run_for(minutes(3));
    std::uint64_t pulled = 0;
    for (const StoreName& name : names) CHECK(world.holders(name) == world.chosen(name, 3));
    for (const NodeIndex node : world.nodes()) {
      const Status status = world.replica(node).status();
      CHECK(status.settled);
      CHECK(status.under_replicated == 0);
      pulled += status.pulled;
    }
    CHECK(pulled == 0);
    // And again after a death.
    world.crash(world.nodes()[3]);
    world->run_for(minutes(3));
    for (const StoreName& name : names) {
      CHECK(world.holders(name) == world.chosen(name, 3));
    }
  }
}

TEST_CASE("any k - 1 holders may die at any moment of a put") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    World world(100 + seed);
    world.grow(9);
    const StoreName name = world.name();
    const Payload value = world.bytes(20000);
    const auto set = world.closest(name.key(), 3);
    NodeIndex client = world.some_active();
    while (std::find(set.begin(), set.end(), client) != set.end()) client = world.some_active();
    // Two of the three, after a delay that sweeps over every step of the operation.
    const std::size_t spared = seed % 3;
    const Time when = world->now() + milliseconds(3 * static_cast<int>(seed));
    world->at(when, [&] {
      for (std::size_t i = 0; i < 3; ++i) {
        if (i != spared) world.crash(set[i]);
      }
    });
    const auto put = world.put(client, name, value);
    REQUIRE_MESSAGE(put, put.error().message);
    CHECK(put->copies == 3);
    if (world->now() < when) world->run_until(when + milliseconds(1));
    const auto blob = world.fetch(client, name);
    REQUIRE_MESSAGE(blob, blob.error().message);
    CHECK(blob->value == value);
    world->run_for(seconds(40));
    CHECK(world.on_exactly_its_set(name, 3));
  }
}

TEST_CASE("holders that are equally near share the reads of a file's parts") {
  World world(9);
  world.grow(8);
  // Names with one key have the same holders.
  std::vector<StoreName> names(24, world.name());
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i].bytes.back() = static_cast<std::uint8_t>(i);
    REQUIRE(world.put(world.some_active(), names[i], world.bytes(20000)));
  }
  world->run_for(seconds(10));
  const auto set = world.closest(names[0].key(), 3);
  NodeIndex reader = world.some_active();
  while (std::find(set.begin(), set.end(), reader) != set.end()) reader = world.some_active();
  for (const NodeIndex holder : set) world.store(holder).values_read = 0;
  for (const StoreName& name : names) REQUIRE(world.fetch(reader, name));
  for (const NodeIndex holder : set) CHECK(world.store(holder).values_read == names.size() / 3);
}

TEST_CASE("with a tenth of the messages lost everything still completes") {
  auto setup = World::defaults(7);
  World world(7, std::move(setup));
  world.grow(12);
  world->network().set_loss(0.1);
  for (int i = 0; i < 20; ++i) {
    const StoreName name = world.name();
    const Payload value = world.bytes(10000);
    const auto put = world.put(world.some_active(), name, value);
    REQUIRE_MESSAGE(put, put.error().message);
    const auto blob = world.fetch(world.some_active(), name);
    REQUIRE_MESSAGE(blob, blob.error().message);
    CHECK(blob->value == value);
  }
}

TEST_CASE("a full disk is told, and a damaged copy is never returned but healed") {
  World world(8);
  world.grow(8);
  const StoreName name = world.name();
  const Payload value = world.bytes(50000);
  REQUIRE(world.put(world.some_active(), name, value));
  const auto set = world.closest(name.key(), 3);
  REQUIRE(world.store(set[0]).memory.corrupt_value(world->id(set[0]), name, 1234));
  REQUIRE(world.store(set[1]).memory.corrupt_value(world->id(set[1]), name, 99));
  for (int i = 0; i < 6; ++i) {
    const auto blob = world.fetch(world.some_active(), name);
    REQUIRE_MESSAGE(blob, blob.error().message);
    CHECK(blob->value == value);
  }
  // Reads at the damaged holders found the damage and fetched good bytes.
  for (std::size_t i = 0; i < 2; ++i) (void)world.fetch(set[i], name);
  world->run_for(seconds(10));
  CHECK(world.replica(set[0]).status().healed + world.replica(set[1]).status().healed == 2);

  const StoreName other = world.name();
  world.store(world.closest(other.key(), 3)[1]).faults.add_disk_full();
  CHECK(world.put(world.some_active(), other, value).error().code == ErrorCode::full);
}

TEST_CASE("a reader that gets bytes that do not match has their holder look, which heals them") {
  World world(9);
  world.grow(6);
  for (const std::size_t size : {std::size_t{1000}, kValueMax}) {
    CAPTURE(size);
    const StoreName name = world.name();
    const Payload value = world.bytes(size);
    REQUIRE(world.put(world.some_active(), name, value));
    const auto set = world.closest(name.key(), 3);
    const NodeIndex holder = set[1];
    REQUIRE(world.store(holder).memory.corrupt_value(world->id(holder), name, 77));
    const std::uint64_t healed = world.replica(holder).status().healed;
    const std::uint64_t found = world.store(holder).memory.counters().corrupt;
    // It reads its own copy first: nobody but the reader checks it, until it does not match.
    const auto blob = world.fetch(holder, name);
    REQUIRE_MESSAGE(blob, blob.error().message);
    CHECK(blob->value == value);
    CHECK(world.store(holder).memory.counters().corrupt == found + 1);
    world->run_for(seconds(10));
    CHECK(world.replica(holder).status().healed == healed + 1);
    const std::uint64_t read = world.store(holder).values_read;
    CHECK(world.fetch(holder, name)->value == value);
    CHECK(world.store(holder).values_read == read + 1);
  }
}

TEST_CASE("what nobody has is not found, whatever the key, and soon") {
  World world(61);
  world.grow(24);
  for (int i = 0; i < 60; ++i) {
    CAPTURE(i);
    const Time before = world->now();
    const NodeIndex node = world.some_active();
    CHECK(world.fetch(node, world.name()).error().code == ErrorCode::not_found);
    CHECK(world.where(node, world.name()).error().code == ErrorCode::not_found);
    CHECK(world->now() - before < seconds(2));
  }
}

TEST_CASE("a store with too much to do delays a put") {
  World world(62);
  world.grow(6);
  const StoreName name = world.name();
  StoreFault busy;
  busy.puts = true;
  busy.count = 2;
  busy.error = {ErrorCode::unavailable, "too many storage requests wait already"};
  world.store(world.closest(name.key(), 3)[2]).faults.add(busy);
  const auto put = world.put(world.some_active(), name, world.bytes(100));
  REQUIRE_MESSAGE(put, put.error().message);
  CHECK(put->copies == 3);
}

}  // namespace pastry::replica::test
