// The application behind lookup, trace and status, on nodes of the simulator.
#include <doctest/doctest.h>

#include <memory>
#include <optional>

#include "apps/service/lookup_app.h"
#include "pastry/core/application_ids.h"
#include "pastry/sim/simulator.h"

namespace pastry::service {
namespace {

class World {
 public:
  explicit World(std::size_t count) : simulator_(options()) {
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(simulator_.add_node());
      if (i == 0) {
        simulator_.found(nodes_[0]);
      } else {
        simulator_.join(nodes_[i], nodes_[0]);
      }
      REQUIRE(simulator_.run_until([&] { return simulator_.active(nodes_[i]); },
                                   simulator_.now() + minutes(2)));
    }
    simulator_.run_until(simulator_.now() + seconds(30));
  }

  sim::Simulator* operator->() { return &simulator_; }
  NodeId id(std::size_t node) { return simulator_.node(nodes_[node]).id(); }
  LookupApplication& lookups(std::size_t node) {
    return static_cast<LookupApplication&>(
        *simulator_.application(nodes_[node], kLookupApplication));
  }
  bool all_idle() {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (!lookups(i).idle()) return false;
    return true;
  }

  void at(std::size_t node, const std::function<void(Context)>& action) {
    simulator_.run(nodes_[node], kLookupApplication, action);
  }
  template <typename T, typename Start>
  Result<T> wait(std::size_t node, Start&& start) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    at(node, [&](Context context) {
      start(context, [answer](Context, Result<T> result) {
        CHECK(!answer->has_value());
        *answer = std::move(result);
      });
    });
    simulator_.run_until([&] { return answer->has_value(); }, simulator_.now() + minutes(3));
    REQUIRE(answer->has_value());
    return **answer;
  }

 private:
  static sim::SimulatorOptions options() {
    sim::SimulatorOptions options;
    options.seed = 5;
    options.config = Config::lan();
    options.config.leaf_set = 8;
    options.applications = [](sim::Simulator& simulator, sim::NodeIndex index, Node& node) {
      simulator.add_application(index, kLookupApplication,
                                std::make_unique<LookupApplication>(node));
    };
    return options;
  }

  sim::Simulator simulator_;
  std::vector<sim::NodeIndex> nodes_;
};

}  // namespace

TEST_CASE("lookup, trace and census answer, and leave nothing behind") {
  World world(12);
  CHECK(world.all_idle());
  const NodeId wanted = world.id(7);

  const auto found = world.wait<LookupResult>(2, [&](Context context, auto done) {
    world.lookups(2).lookup(context, wanted, seconds(10), done);
    CHECK_FALSE(world.lookups(2).idle());
  });
  REQUIRE(found);
  CHECK(found->root == wanted);

  const auto path = world.wait<std::vector<TraceHop>>(2, [&](Context context, auto done) {
    world.lookups(2).trace(context, wanted, seconds(10), done);
  });
  REQUIRE(path);
  CHECK(path->front().id == world.id(2));
  CHECK(path->back().id == wanted);

  const auto census = world.wait<Census>(
      2, [&](Context context, auto done) { world.lookups(2).census(context, seconds(10), done); });
  REQUIRE(census);
  CHECK(census->nodes.size() == 12);
  CHECK(census->unreachable.empty());
  CHECK(world.all_idle());
}

TEST_CASE("a question that begins in the answer to another is waited for") {
  World world(4);
  std::optional<NodeId> second;
  world.at(1, [&](Context context) {
    LookupApplication& lookups = world.lookups(1);
    lookups.lookup(context, world.id(3), seconds(10), [&](Context c, Result<LookupResult> first) {
      REQUIRE(first);
      lookups.lookup(c, world.id(0), seconds(10), [&](Context, Result<LookupResult> result) {
        if (result) second = result->root;
      });
    });
  });
  CHECK(world->run_until([&] { return second.has_value(); }, world->now() + minutes(1)));
  CHECK(*second == world.id(0));
  CHECK(world.all_idle());
}

TEST_CASE("an answer that is there at once leaves nothing behind either") {
  World world(1);
  // Alone, a census is over at once; a node that is not active refuses a lookup.
  const auto census = world.wait<Census>(
      0, [&](Context context, auto done) { world.lookups(0).census(context, seconds(1), done); });
  REQUIRE(census);
  CHECK(census->nodes.size() == 1);
  CHECK(world.all_idle());
  const auto late = world.wait<LookupResult>(0, [&](Context context, auto done) {
    world.lookups(0).lookup(context, world.id(0), Duration::zero(), done);
  });
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ErrorCode::timed_out);
  CHECK(world.all_idle());
}

}  // namespace pastry::service
