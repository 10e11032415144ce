#include "pastry/sim/network.h"

#include <doctest/doctest.h>

#include "pastry/sim/trace_hash.h"

namespace pastry::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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

TEST_CASE("a partition may let one direction through") {
  Network network = make_network();
  network.set_side(kC, 1);
  network.open(1, 0);
  CHECK(network.reachable(kC, kA));
  CHECK_FALSE(network.reachable(kA, kC));
  network.heal_partition();
  network.set_side(kC, 1);
  CHECK_FALSE(network.reachable(kC, kA));
}

namespace {

// Of all ordered pairs among `nodes` nodes, how many reach each other.
int count_reachable(const Network& network, std::uint32_t nodes) {
  int count = 0;
  for (std::uint32_t a = 0; a < nodes; ++a) {
    for (std::uint32_t b = 0; b < nodes; ++b) {
      if (a != b && network.reachable(NodeIndex{a}, NodeIndex{b})) ++count;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("a share of the links is blocked, another passes one direction only") {
  NetworkOptions options;
  options.blocked_links = 0.1;
  const int all = 100 * 99;
  CHECK(count_reachable(Network(proximity::make_uniform(milliseconds(1)), 3, options), 100) ==
        doctest::Approx(0.9 * all).epsilon(0.02));
  options.blocked_links = 0;
  options.one_way_links = 0.2;
  const Network network(proximity::make_uniform(milliseconds(1)), 3, options);
  CHECK(count_reachable(network, 100) == doctest::Approx(0.9 * all).epsilon(0.02));
  int neither = 0;
  for (std::uint32_t a = 0; a < 100; ++a) {
    for (std::uint32_t b = 0; b < a; ++b) {
      const bool there = network.reachable(NodeIndex{a}, NodeIndex{b});
      const bool back = network.reachable(NodeIndex{b}, NodeIndex{a});
      if (!there && !back) ++neither;
    }
  }
  CHECK(neither == 0);
}

TEST_CASE("gray links lose a share of their messages, the others none") {
  NetworkOptions options;
  options.gray_links = 0.1;
  options.gray_loss = 0.3;
  Network network(proximity::make_uniform(milliseconds(1)), 5, options);
  int gray = 0;
  for (std::uint32_t b = 1; b <= 200; ++b) {
    int lost = 0;
    for (int i = 0; i < 200; ++i) {
      if (network.fate(kA, NodeIndex{b}) == Network::Fate::lost) ++lost;
      if (network.fate(NodeIndex{b}, kA) == Network::Fate::lost) ++lost;
    }
    if (lost == 0) continue;
    ++gray;
    CHECK(lost > 70);
    CHECK(lost < 170);
  }
  CHECK(gray > 8);
  CHECK(gray < 35);
}

TEST_CASE("reordering delays a share of the messages, never beyond its bound") {
  NetworkOptions options;
  options.reordering = 0.25;
  options.reordering_delay = milliseconds(40);
  Network network(proximity::make_uniform(milliseconds(5)), 7, options);
  const Time now{std::chrono::hours(1)};
  int late = 0;
  for (int i = 0; i < 4000; ++i) {
    const Duration took = network.arrival(kA, kB, now) - now;
    CHECK(took >= milliseconds(5));
    CHECK(took <= milliseconds(45));
    if (took > milliseconds(5)) ++late;
  }
  CHECK(late > 850);
  CHECK(late < 1150);
}

TEST_CASE("a slow node works off one message after the other and loses what is too many") {
  NetworkOptions options;
  options.slow_backlog = milliseconds(100);
  Network network(proximity::make_uniform(milliseconds(5)), 7, options);
  const Time now{std::chrono::hours(1)};
  network.set_slow(kB, milliseconds(30));
  CHECK(network.arrival(kA, kB, now) == now + milliseconds(35));
  CHECK(network.arrival(kC, kB, now) == now + milliseconds(65));
  CHECK(network.arrival(kA, kC, now) == now + milliseconds(5));
  CHECK(network.arrival(kA, kB, now) == now + milliseconds(95));
  CHECK(network.arrival(kA, kB, now) == kNever);
  CHECK(network.arrival(kA, kB, now + seconds(1)) == now + seconds(1) + milliseconds(35));
  network.set_slow(kB, Duration::zero());
  CHECK(network.arrival(kA, kB, now) == now + milliseconds(5));
}

TEST_CASE("slow nodes are slow as the options say at present") {
  NetworkOptions options;
  options.slow_nodes = 1;
  options.slow_processing = milliseconds(30);
  Network network(proximity::make_uniform(milliseconds(5)), 7, options);
  const Time now{std::chrono::hours(1)};
  CHECK(network.arrival(kA, kB, now) == now + milliseconds(35));
  network.set_options({});
  CHECK(network.arrival(kA, kB, now) == now + milliseconds(5));
  options.slow_processing = milliseconds(10);
  network.set_options(options);
  CHECK(network.arrival(kA, kC, now) == now + milliseconds(15));
  CHECK(network.arrival(kA, kB, now + seconds(1)) == now + seconds(1) + milliseconds(15));
}

TEST_CASE("options out of range are refused by name") {
  NetworkOptions options;
  CHECK(options.validate().has_value());
  options.gray_links = 1.5;
  REQUIRE_FALSE(options.validate().has_value());
  CHECK(options.validate().error().message == "gray links: must be between 0 and 1");
  options.gray_links = 0;
  options.slow_processing = std::chrono::hours(2);
  CHECK_FALSE(options.validate().has_value());
}

}  // namespace pastry::sim
