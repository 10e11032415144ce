#include "pastry/sim/network.h"

#include <doctest/doctest.h>

#include "pastry/sim/trace_hash.h"

namespace pastry::sim {

namespace {

using std::chrono::milliseconds;

constexpr NodeIndex kA{0};
constexpr NodeIndex kB{1};
constexpr NodeIndex kC{2};

Network make_network(std::uint64_t seed = 1) {
  return Network(proximity::make_uniform(milliseconds(5)), seed);
}

}  // namespace

TEST_CASE("a healthy network loses nothing") {
  Network network = make_network();
  for (int i = 0; i < 1000; ++i) CHECK(network.fate(kA, kB) == Network::Fate::arrives);
  CHECK(network.delay(kA, kB) == milliseconds(5));
}

TEST_CASE("loss and duplication happen as often as asked, and follow the seed") {
  const auto lost = [](std::uint64_t seed) {
    Network network = make_network(seed);
    network.set_loss(0.1);
    network.set_duplication(0.1);
    TraceHash trace;
    int count = 0;
    int twice = 0;
    for (int i = 0; i < 10000; ++i) {
      const Network::Fate fate = network.fate(kA, kB);
      trace.add(static_cast<std::uint64_t>(fate));
      if (fate == Network::Fate::lost) ++count;
      if (fate == Network::Fate::arrives_twice) ++twice;
    }
    CHECK(count > 850);
    CHECK(count < 1150);
    CHECK(twice > 750);
    CHECK(twice < 1050);
    return trace.value();
  };
  CHECK(lost(1) == lost(1));
  CHECK(lost(1) != lost(2));
}

TEST_CASE("certain loss loses everything") {
  Network network = make_network();
  network.set_loss(1);
  for (int i = 0; i < 1000; ++i) CHECK(network.fate(kA, kB) == Network::Fate::lost);
}

TEST_CASE("links are cut in one direction or both") {
  Network network = make_network();
  network.cut(kA, kB);
  CHECK(network.fate(kA, kB) == Network::Fate::cut);
  CHECK(network.fate(kB, kA) == Network::Fate::arrives);
  CHECK(network.fate(kA, kC) == Network::Fate::arrives);
  network.heal(kA, kB);
  CHECK(network.reachable(kA, kB));
  network.cut_both(kA, kC);
  CHECK_FALSE(network.reachable(kA, kC));
  CHECK_FALSE(network.reachable(kC, kA));
  network.heal_all_links();
  CHECK(network.reachable(kC, kA));
}

TEST_CASE("a partition separates its sides") {
  Network network = make_network();
  network.set_side(kC, 1);
  CHECK(network.reachable(kA, kB));
  CHECK_FALSE(network.reachable(kA, kC));
  CHECK_FALSE(network.reachable(kC, kB));
  network.heal_partition();
  CHECK(network.reachable(kA, kC));
}

}  // namespace pastry::sim
