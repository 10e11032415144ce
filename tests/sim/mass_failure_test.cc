// R4: many nodes die at once, side by side or anywhere: one ring within a minute, then all lookups
// right. R7: links that do not work although both ends reach others.
#include <doctest/doctest.h>

#include <map>

#include "tests/sim/ring.h"

namespace pastry::sim {

namespace {

SimulatorOptions profile(bool wan, std::uint64_t seed, int leaf_set) {
  SimulatorOptions options = TestRing::lan(seed, leaf_set);
  if (wan) {
    options.config = Config::wan();
    options.config.leaf_set = leaf_set;
  }
  return options;
}

void check_one_ring(TestRing& ring) {
  const Time killed = ring->now();
  const auto whole = [&] { return check_ring(ring.simulator()).ok(); };
  while (!whole() && ring->now() - killed < seconds(60)) ring->run_for(milliseconds(500));
  MESSAGE("one ring after " << std::chrono::duration<double>(ring->now() - killed).count() << " s");
  const Findings findings = check_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
  CHECK(ring.look_up(300, seconds(60)) == 0);
  CHECK_MESSAGE(ring.oracle().findings().ok(), ring.oracle().findings().text());
}

void kill_adjacent(TestRing& ring, std::size_t count) {
  std::vector<NodeIndex> victims;
  auto place = ring->active_nodes().begin();
  std::advance(place, 17);
  while (victims.size() < count) victims.push_back((place++)->second);
  for (const NodeIndex node : victims) ring->crash(node);
}

// How often, per ordered pair of nodes, one leaves the other's leaf set and comes back.
class Flips {
 public:
  explicit Flips(Simulator& simulator) : simulator_(simulator) {
    for (std::uint32_t i = 0; i < simulator.size(); ++i) remember(NodeIndex{i});
  }
  // To be called now and then.
  void look() {
    for (std::uint32_t i = 0; i < simulator_.size(); ++i) {
      const std::vector<Handle> before = std::exchange(members_[i], {});
      remember(NodeIndex{i});
      for (const Handle peer : members_[i]) {
        if (std::find(before.begin(), before.end(), peer) == before.end()) ++returns_[{i, peer}];
      }
    }
  }
  int most() const {
    int most = 0;
    for (const auto& [pair, count] : returns_) most = std::max(most, count);
    return most;
  }

 private:
  void remember(NodeIndex node) {
    members_[index(node)] = simulator_.node(node).tables().leaf_set.members();
  }

  Simulator& simulator_;
  std::map<std::uint32_t, std::vector<Handle>> members_;
  std::map<std::pair<std::uint32_t, Handle>, int> returns_;
};

}  // namespace

TEST_CASE("R4: half of all nodes die at once") {
  for (const bool wan : {false, true}) {
    CAPTURE(wan);
    TestRing ring(profile(wan, 81, 16));
    REQUIRE(ring.grow(200));
    ring->run_for(minutes(1));
    for (int i = 0; i < 100; ++i) ring->crash(random_active(ring.simulator()));
    check_one_ring(ring);
  }
}

TEST_CASE("R4: l/2 - 1 and l adjacent nodes die at once") {
  for (const bool wan : {false, true}) {
    for (const std::size_t dead : {7, 16}) {
      CAPTURE(wan);
      CAPTURE(dead);
      TestRing ring(profile(wan, 82, 16));
      REQUIRE(ring.grow(120));
      ring->run_for(minutes(1));
      kill_adjacent(ring, dead);
      check_one_ring(ring);
    }
  }
}

TEST_CASE("a single death is repaired well within five seconds in the LAN profile") {
  TestRing ring(profile(false, 83, 8));
  REQUIRE(ring.grow(64));
  ring->run_for(seconds(30));
  double longest = 0;
  for (int i = 0; i < 20; ++i) {
    ring->crash(random_active(ring.simulator()));
    const Time killed = ring->now();
    const auto repaired = [&] {
      return check_ring(ring.simulator()).ok() && check_leaf_sets(ring.simulator()).ok();
    };
    while (!repaired() && ring->now() - killed < seconds(10)) ring->run_for(milliseconds(50));
    longest = std::max(longest, std::chrono::duration<double>(ring->now() - killed).count());
    ring->run_for(seconds(20));
  }
  MESSAGE("longest repair " << longest << " s");
  CHECK(longest <= 4.0);
}

TEST_CASE("R7: neighbours that cannot talk stay neighbours over others") {
  TestRing ring(profile(false, 84, 8));
  REQUIRE(ring.grow(40));
  ring->run_for(seconds(20));
  // Ten pairs of immediate neighbours, and ten of nodes two apart.
  std::vector<NodeIndex> nodes;
  for (const auto& [id, node] : ring->active_nodes()) nodes.push_back(node);
  for (std::size_t i = 0; i + 2 < nodes.size(); i += 4) {
    ring->network().cut_both(nodes[i], nodes[i + 1]);
    ring->network().cut(nodes[i], nodes[i + 2]);
  }
  Flips flips(ring.simulator());
  std::size_t lost = 0;
  for (int i = 0; i < 120; ++i) {
    ring->run_for(seconds(5));
    flips.look();
    lost += ring.look_up(10, seconds(2));
  }
  // A member may go once, before a way over others is found, and comes back.
  CHECK(flips.most() <= 1);
  CHECK(lost == 0);
  const Findings findings = check_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
  CHECK_MESSAGE(ring.oracle().findings().ok(), ring.oracle().findings().text());
  // The relay in between dies: another one is found.
  ring->crash(nodes[2]);
  ring->run_for(seconds(10));
  CHECK(check_ring(ring.simulator()).ok());
  ring->network().heal_all_links();
  ring->run_for(seconds(10));
  CHECK(ring.look_up(100) == 0);
}

TEST_CASE("R7: a tenth of the links loses 30 % of its messages") {
  for (const bool wan : {false, true}) {
    CAPTURE(wan);
    SimulatorOptions options = profile(wan, 85, 16);
    TestRing ring(std::move(options));
    REQUIRE(ring.grow(60));
    ring->run_for(minutes(1));
    NetworkOptions gray;
    gray.gray_links = 0.1;
    gray.gray_loss = 0.3;
    ring->network().set_options(gray);
    Flips flips(ring.simulator());
    std::size_t lost = 0;
    for (int i = 0; i < 100; ++i) {  // ten minutes
      ring->run_for(seconds(6));
      flips.look();
      lost += ring.look_up(20, seconds(20));
    }
    CHECK(flips.most() <= 2);
    CHECK(lost <= 2);  // of 2,000
  }
}

TEST_CASE("R7: two of a hundred links stop working, one more works one way only") {
  TestRing ring(profile(false, 86, 16));
  REQUIRE(ring.grow(80));
  NetworkOptions bad;
  bad.blocked_links = 0.02;
  bad.one_way_links = 0.01;
  ring->network().set_options(bad);
  ring->run_for(minutes(1));
  const Findings findings = check_ring(ring.simulator());
  CHECK_MESSAGE(findings.ok(), findings.text());
  CHECK(ring.look_up(500) <= 1);
}

}  // namespace pastry::sim
