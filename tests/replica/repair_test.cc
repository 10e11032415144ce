// Maintenance: k copies again after deaths, hand-over to new members, nothing removed comes back.
#include "tests/replica/world.h"

namespace pastry::replica::test {

namespace {

struct Stored {
  StoreName name;
  Payload value;
};

std::vector<Stored> fill(World& world, std::size_t count, std::size_t size) {
  std::vector<Stored> all;
  for (std::size_t i = 0; i < count; ++i) {
    Stored one{world.name(), world.bytes(world.chance().below(size))};
    const auto put = world.put(world.some_active(), one.name, one.value);
    REQUIRE_MESSAGE(put, put.error().message);
    all.push_back(std::move(one));
  }
  return all;
}

std::size_t misplaced(World& world, const std::vector<Stored>& all) {
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const Stored& one) {
    return !world.on_exactly_its_set(one.name, 3);
  }));
}

// Lives, and answers no question about files.
class Mute final : public Application {
 public:
  void deliver(Context, const Delivery&) override {}
};

}  // namespace

TEST_CASE("after two deaths every entry is on its three nodes again, and status says so") {
  World world(41);
  world.grow(16);
  const auto all = fill(world, 60, 20000);
  const auto dead = world.closest(all[0].name.key(), 2);
  for (const NodeIndex node : dead) world.crash(node);
  world->run_for(seconds(25));
  CHECK(misplaced(world, all) == 0);
  world->run_for(seconds(60));
  for (const auto& [id, node] : world->active_nodes()) {
    const Status status = world.replica(node).status();
    CHECK(status.under_replicated == 0);
    CHECK(status.bytes_to_repair == 0);
    CHECK(status.pending_pulls == 0);
    CHECK(status.settled);
  }
}

TEST_CASE("joining nodes take their share, reads go on meanwhile, and old holders let go") {
  World world(42);
  world.grow(6);
  const auto all = fill(world, 40, 5000);
  for (int i = 0; i < 10; ++i) {
    world.grow(1);
    for (int j = 0; j < 4; ++j) {
      const Stored& one = all[world.chance().below(all.size())];
      const auto blob = world.fetch(world.some_active(), one.name);
      REQUIRE_MESSAGE(blob, blob.error().message);
      CHECK(blob->value == one.value);
    }
  }
  world->run_for(seconds(40));
  CHECK(misplaced(world, all) == 0);
}

TEST_CASE("a restarted holder goes on with what it has; an emptied one is filled again") {
  World world(43);
  world.grow(10);
  const auto all = fill(world, 30, 5000);
  const auto set = world.closest(all[0].name.key(), 3);
  std::uint64_t pulled = 0;
  world.crash(set[0]);
  world->run_for(milliseconds(500));
  world.restart(set[0]);
  world->run_for(seconds(20));
  for (const auto& [id, node] : world->active_nodes())
    pulled += world.replica(node).status().pulled;
  CHECK(pulled == 0);
  CHECK(misplaced(world, all) == 0);

  world.crash(set[1]);
  world.store(set[1]).memory.wipe();
  world.restart(set[1]);
  world->run_for(seconds(30));
  CHECK(misplaced(world, all) == 0);
}

TEST_CASE("all nodes go down and come back: everything is there") {
  World world(44);
  world.grow(3);
  const auto all = fill(world, 10, 3000);
  for (const NodeIndex node : world.nodes()) world.crash(node);
  world->run_for(seconds(2));
  for (const NodeIndex node : world.nodes()) world->restart(node);
  REQUIRE(world->run_until([&] { return world->active_nodes().size() == 3; },
                           world->now() + minutes(2)));
  // At once, though nobody knows better than those who were away.
  for (const Stored& one : all) {
    const Time begun = world->now();
    const auto blob = world.fetch(world.some_active(), one.name);
    REQUIRE_MESSAGE(blob, blob.error().message);
    CHECK(blob->value == one.value);
    CHECK(world->now() - begun < milliseconds(500));
  }
  world->run_for(seconds(30));
  for (const NodeIndex node : world.nodes()) CHECK(world.replica(node).status().settled);
}

TEST_CASE("what was removed while a holder was away does not come back with it") {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    CAPTURE(seed);
    World world(450 + seed);
    world.grow(10);
    const auto all = fill(world, 8, 3000);
    const auto set = world.closest(all[0].name.key(), 3);
    world.crash(set[seed % 3]);
    world->run_for(seconds(10));
    for (const Stored& one : all) REQUIRE(world.remove(world.some_active(), one.name));
    world.restart(set[seed % 3]);
    world->run_for(seconds(90));
    for (const Stored& one : all) {
      CHECK(world.holders(one.name).empty());
      CHECK(world.fetch(world.some_active(), one.name).error().code == ErrorCode::not_found);
    }
  }
}

TEST_CASE("a member that says nothing holds a node that is back up for seconds only") {
  World world(460);
  world.options.page_entries = 4;
  world.grow(6);
  (void)fill(world, 120, 100);
  const NodeIndex silent = world.nodes()[1];
  const NodeIndex back = world.nodes()[4];
  Mute mute;
  world.impostors[silent] = &mute;
  for (const NodeIndex node : {silent, back}) {
    world.crash(node);
    world->run_for(seconds(10));
    world.restart(node);
  }
  REQUIRE_FALSE(world.replica(back).status().counted);
  // Two rounds of questions and one that counts, two timeouts each, and the pauses between.
  CHECK(world->run_until([&] { return world.replica(back).status().counted.has_value(); },
                         world->now() + seconds(50)));
}

// From the moment at which they are active, whoever is asked.
TEST_CASE("holders that were away do not serve what was removed meanwhile") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    World world(470 + seed);
    world.grow(10);
    const int k = 2 + static_cast<int>(seed % 2);
    std::vector<StoreName> removed;
    for (int i = 0; i < 8; ++i) {
      removed.push_back(world.name());
      REQUIRE(world.put(world.some_active(), removed.back(), world.bytes(500), k));
    }
    const StoreName kept = world.name();
    REQUIRE(world.put(world.some_active(), kept, world.bytes(500), k));
    // One after the other, so that others have taken over what each of them had. Then both are back
    // at once and agree with each other.
    const auto away = world.closest(removed[0].key(), 2);
    for (const NodeIndex node : away) {
      world.crash(node);
      world->run_for(seconds(30));
    }
    for (const StoreName& name : removed) REQUIRE(world.remove(world.some_active(), name));
    for (const NodeIndex node : away) world->restart(node);
    REQUIRE(world->run_until([&] { return world->active(away[0]) && world->active(away[1]); },
                             world->now() + minutes(2)));
    const Time back = world->now();
    for (int round = 0; world->now() - back < seconds(3); ++round) {
      for (const NodeIndex reader : {away[0], away[1], world.some_active()}) {
        const auto blob =
            world.fetch(reader, removed[static_cast<std::size_t>(round) % removed.size()]);
        REQUIRE_FALSE(blob);
        CHECK(blob.error().code == ErrorCode::not_found);
        const Time begun = world->now();
        CHECK(world.fetch(reader, kept).has_value());
        CHECK(world->now() - begun < milliseconds(500));
      }
    }
    world->run_for(seconds(60));
    for (const StoreName& name : removed) CHECK(world.holders(name).empty());
    CHECK(world.on_exactly_its_set(kept, static_cast<std::size_t>(k)));
  }
}

// A newcomer pushes it out of the set of a young entry, dies, and makes it a member again.
TEST_CASE("a holder that is a member again does not serve what was removed in between") {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    CAPTURE(seed);
    World world(520 + seed);
    world.grow(6);
    const StoreName removed = world.name();
    StoreName kept = removed;
    kept.bytes.back() ^= 1;
    const NodeIndex former = world.closest(removed.key(), 2)[1];
    for (const StoreName& name : {removed, kept}) {
      REQUIRE(world.put(world.some_active(), name, world.bytes(500), 2));
    }
    const NodeIndex newcomer = world->add_node(removed.key() + Id(0, 1));
    world->join(newcomer, world.some_active());
    REQUIRE(world->run_until([&] { return world->active(newcomer); }, world->now() + seconds(5)));
    world->run_for(milliseconds(1200));
    REQUIRE(world.remove(newcomer, removed));
    CHECK(world.holders(removed) == std::set<NodeIndex>{former});
    world.crash(newcomer);
    const Time end = world->now() + seconds(12);
    while (world->now() < end) {
      const auto blob = world.fetch(former, removed);
      REQUIRE_FALSE(blob);
      CHECK(blob.error().code == ErrorCode::not_found);
      CHECK(world.fetch(former, kept).has_value());
      world->run_for(milliseconds(20));
    }
    world->run_for(seconds(60));
    CHECK(world.holders(removed).empty());
    CHECK(world.on_exactly_its_set(kept, 2));
  }
}

// What it was not told of in time it offers to newcomers as if it were there.
TEST_CASE("a newcomer does not serve what was removed, whoever offers it a copy") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    World world(620 + seed);
    world.grow(6);
    const StoreName removed = world.name();
    REQUIRE(world.put(world.some_active(), removed, world.bytes(500), 2));
    const auto join = [&](std::uint64_t place) {
      const NodeIndex node = world->add_node(removed.key() + Id(0, place));
      world->join(node, world.some_active());
      REQUIRE(world->run_until([&] { return world->active(node); }, world->now() + seconds(5)));
      return node;
    };
    const NodeIndex first = join(1);
    world->run_for(milliseconds(1200));
    REQUIRE(world.remove(first, removed));
    world->run_for(milliseconds(static_cast<int>(world.chance().below(4000))));
    const NodeIndex second = join(2);
    const Time end = world->now() + seconds(6);
    while (world->now() < end) {
      const auto blob = world.fetch(second, removed);
      REQUIRE_FALSE(blob);
      CHECK(blob.error().code == ErrorCode::not_found);
      world->run_for(milliseconds(5));
    }
    world->run_for(seconds(30));
    CHECK(world.holders(removed).empty());
  }
}

TEST_CASE("failing disks and lost messages delay repair but do not stop it") {
  World world(46);
  world.grow(10);
  const auto all = fill(world, 30, 3000);
  world->network().set_loss(0.05);
  for (const NodeIndex node : world.nodes()) {
    StoreFault fault;
    fault.puts = fault.gets = fault.scans = true;
    fault.skip = 20;
    fault.count = 5;
    world.store(node).faults.add(fault);
  }
  world.crash(world.closest(all[3].name.key(), 1)[0]);
  world->run_for(seconds(60));
  world->network().set_loss(0);
  world->run_for(seconds(90));
  CHECK(misplaced(world, all) == 0);
}

TEST_CASE(
    "what wants more copies than the ring has nodes is told apart from what can be repaired") {
  World world(48);
  world.grow(2);
  BlobOptions options;
  options.copies = {4, 1, seconds(30)};
  const StoreName name = world.name();
  const auto put = world.wait<PutResult>(world.nodes()[0], [&](Context context, auto done) {
    world.replica(world.nodes()[0]).put_blob(context, name, world.bytes(1000), options, done);
  });
  REQUIRE(put);
  CHECK(put->copies == 2);
  for (const NodeIndex node : world.nodes()) CHECK(world.replica(node).status().uncounted);
  const auto total = [&] {
    Status sum;
    for (const NodeIndex node : world.nodes()) {
      const Status one = world.replica(node).status();
      sum.under_replicated += one.under_replicated;
      sum.short_of_nodes += one.short_of_nodes;
      sum.nodes_wanted = std::max(sum.nodes_wanted, one.nodes_wanted);
      REQUIRE(one.counted);
      CHECK_FALSE(one.uncounted);
      CHECK(world->now() - *one.counted < minutes(3));
    }
    return sum;
  };
  world->run_for(seconds(80));
  CHECK(total().under_replicated == 0);
  CHECK(total().short_of_nodes == 1);
  CHECK(total().nodes_wanted == 4);
  world.grow(2);
  world->run_for(seconds(80));
  CHECK(total().short_of_nodes == 0);
  CHECK(world.on_exactly_its_set(name, 4));
}

TEST_CASE(
    "a node that is back looks after its entries even if its store failed the first question") {
  World world(47);
  world.grow(6);
  const auto all = fill(world, 10, 3000);
  const NodeIndex node = world.closest(all[0].name.key(), 1)[0];
  world->run_for(seconds(5));
  CHECK(world.replica(node).status().blobs > 0);
  world.crash(node);
  StoreFault fault;
  fault.scans = true;
  fault.count = 1;
  world.store(node).faults.add(fault);
  world.restart(node);
  world->run_for(seconds(5));
  CHECK(world.store(node).faults.injected() == 1);
  CHECK(world.replica(node).status().blobs > 0);
}

// Acknowledged entries against a dumb model, while nodes crash, restart and join.
TEST_CASE("random schedules lose nothing and resurrect nothing") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    World world(9000 + seed);
    world.grow(10);
    std::vector<Stored> live;
    std::vector<Stored> gone;
    std::vector<NodeIndex> down;
    for (int step = 0; step < 120; ++step) {
      CAPTURE(step);
      const std::uint64_t dice = world.chance().below(10);
      if (dice < 4) {
        Stored one{world.name(), world.bytes(world.chance().below(9000))};
        if (world.put(world.some_active(), one.name, one.value)) live.push_back(one);
      } else if (dice < 6 && !live.empty()) {
        const Stored& one = live[world.chance().below(live.size())];
        const auto blob = world.fetch(world.some_active(), one.name);
        REQUIRE_MESSAGE(blob, blob.error().message);
        CHECK(blob->value == one.value);
      } else if (dice < 7 && !live.empty()) {
        const auto which = world.chance().below(live.size());
        const Stored one = live[which];
        const auto removed = world.remove(world.some_active(), one.name);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
        if (removed) gone.push_back(one);
      } else if (dice < 8 && down.size() < 3) {
        // At most two of a set at once, with time to repair before the next.
        if (down.size() == 2) world->run_for(seconds(30));
        const NodeIndex victim = world.some_active();
        world.crash(victim);
        down.push_back(victim);
      } else if (dice < 9 && !down.empty()) {
        world.restart(down.back());
        down.pop_back();
        world->run_for(seconds(5));
      } else {
        world->run_for(milliseconds(static_cast<int>(world.chance().below(3000))));
      }
    }
    world->run_for(seconds(120));
    CHECK(misplaced(world, live) == 0);
    for (const Stored& one : live) {
      const auto blob = world.fetch(world.some_active(), one.name);
      REQUIRE_MESSAGE(blob, blob.error().message);
      CHECK(blob->value == one.value);
    }
    for (const Stored& one : gone) CHECK(world.holders(one.name).empty());
  }
}

}  // namespace pastry::replica::test
