// Records: conditional updates have one winner, whoever dies in between.
#include "pastry/replica/calls.h"
#include "pastry/replica/messages.h"
#include "tests/replica/world.h"

namespace pastry::replica::test {

namespace {

// Says of every record that an update of it is under way.
class AlwaysBusy final : public Application {
 public:
  void deliver(Context, const Delivery&) override {}
  void receive(Context context, const Incoming& message) override {
    const auto frame = decode(message.payload);
    if (!frame || !std::holds_alternative<Stat>(frame->message)) return;
    ++asked;
    Calls::answer(context, message, Statted{Answer::busy, {}});
  }
  int asked = 0;
};

}  // namespace

TEST_CASE("a record is created, updated, read and removed") {
  World world(31);
  world.grow(12);
  const StoreName name = world.name();
  CHECK(world.read(world.some_active(), name).error().code == ErrorCode::not_found);
  CHECK(world.update(world.some_active(), name, 4, {1}).error().code == ErrorCode::conflict);
  const auto created = world.update(world.some_active(), name, 0, {1});
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(created->copies == 3);
  CHECK(world.on_exactly_its_set(name, 3));
  CHECK(world.update(world.some_active(), name, 0, {2}).error().code == ErrorCode::conflict);
  const auto updated =
      world.update(world.some_active(), name, created->version, Bytes(60 * 1024, 7));
  REQUIRE_MESSAGE(updated, updated.error().message);
  const auto read = world.read(world.some_active(), name);
  REQUIRE(read);
  CHECK(read->version == updated->version);
  CHECK(read->value.size() == 60 * 1024);
  REQUIRE(world.remove(world.some_active(), name));
  CHECK(world.read(world.some_active(), name).error().code == ErrorCode::not_found);
  const auto again = world.update(world.some_active(), name, 0, {3});
  REQUIRE_MESSAGE(again, again.error().message);
  CHECK(again->version > updated->version);
  CHECK(world.update(world.some_active(), name, 0, Bytes(60 * 1024 + 1)).error().code ==
        ErrorCode::too_large);
  CHECK(world.update(world.some_active(), name, 0, {}, 6).error().code == ErrorCode::invalid);
}

TEST_CASE("of many concurrent updates of one version exactly one wins") {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    CAPTURE(seed);
    World world(200 + seed);
    world.grow(10);
    if (seed % 2 == 1) world->network().set_loss(0.05);
    const StoreName name = world.name();
    int won = 0;
    int lost = 0;
    std::uint8_t winner = 0;
    for (std::uint8_t i = 1; i <= 8; ++i) {
      const NodeIndex node = world.some_active();
      world->run(node, ApplicationId{77}, [&, i](Context context) {
        world.replica(node).update_record(context, name, 0, {i}, {},
                                          [&, i](Context, const Result<RecordResult>& result) {
                                            (result ? won : lost) += 1;
                                            if (result) winner = i;
                                          });
      });
    }
    world->run_until([&] { return won + lost == 8; }, world->now() + minutes(2));
    CHECK(won == 1);
    CHECK(lost == 7);
    const auto read = world.read(world.some_active(), name);
    REQUIRE_MESSAGE(read, read.error().message);
    CHECK(read->value.view()[0] == winner);
  }
}

TEST_CASE("an acknowledged update survives its root, and the next root continues from it") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    World world(300 + seed);
    world.grow(12);
    const StoreName name = world.name();
    std::uint64_t version = 0;
    std::uint8_t value = 0;
    for (int i = 0; i < 6; ++i) {
      const auto set = world.closest(name.key(), 3);
      NodeIndex client = world.some_active();
      while (std::find(set.begin(), set.end(), client) != set.end()) client = world.some_active();
      // The root and another holder die somewhere during the update.
      const auto when = world->now() + milliseconds(static_cast<int>(world.chance().below(80)));
      world->at(when, [&world, set] {
        world.crash(set[0]);
        world.crash(set[1]);
      });
      const auto updated = world.update(client, name, version, {++value});
      // It may have been written without this client being told; reading tells.
      if (world->now() < when) world->run_until(when + milliseconds(1));
      const auto read = world.read(client, name);
      REQUIRE_MESSAGE(read, read.error().message);
      if (updated) {
        CHECK(read->version == updated->version);
        CHECK(read->value.view()[0] == value);
      }
      version = read->version;
      value = read->value.view()[0];
      world.restart(set[0]);
      world.restart(set[1]);
      world->run_for(seconds(5));
    }
  }
}

TEST_CASE(
    "a neighbour that says for ever that it writes a record does not stop reads and updates") {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    CAPTURE(seed);
    World world(350 + seed);
    world.grow(9);
    const StoreName name = world.name();
    const auto created = world.update(world.some_active(), name, 0, {1}, 2);
    REQUIRE_MESSAGE(created, created.error().message);
    const auto set = world.closest(name.key(), 5);
    AlwaysBusy liar;
    // Among those that the root asks, but no member.
    world.impostors[set[4]] = &liar;
    world.crash(set[4]);
    world->run_for(seconds(5));
    world.restart(set[4]);
    world->run_for(seconds(5));
    const Time begun = world->now();
    const auto read = world.read(set[1], name);
    REQUIRE_MESSAGE(read, read.error().message);
    CHECK(liar.asked > 1);
    CHECK(read->version == created->version);
    CHECK(world->now() - begun < seconds(8));
    const auto updated = world.update(set[2], name, read->version, {2}, 2);
    REQUIRE_MESSAGE(updated, updated.error().message);
  }
}

}  // namespace pastry::replica::test
