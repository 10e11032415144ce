// Emulated topologies: sphere, transit-stub, delay matrix [SCRIBE §6, Pastry §2.1].
#include "proximity/topology.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pastry/core/random.h"

using namespace proximity;
using namespace std::chrono_literals;
using pastry::Random;
using std::chrono::nanoseconds;

namespace {

void check_metric(const Topology& topology, std::uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < 50000; ++i) {
    const std::uint64_t bound = i % 2 == 0 ? 200 : ~0ULL;
    const std::uint64_t a = random.below(bound);
    const std::uint64_t b = random.below(bound);
    const std::uint64_t c = random.below(bound);
    CHECK(topology.delay(a, a) == 0ns);
    CHECK(topology.delay(a, b) == topology.delay(b, a));
    CHECK(topology.delay(a, c) <= topology.delay(a, b) + topology.delay(b, c));
    if (a != b) CHECK(topology.delay(a, b) > 0ns);
  }
}

std::vector<double> sample_ms(const Topology& topology, int pairs) {
  std::vector<double> delays;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(pairs); ++i) {
    delays.push_back(static_cast<double>(topology.delay(2 * i, 2 * i + 1).count()) / 1e6);
  }
  std::sort(delays.begin(), delays.end());
  return delays;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::unique_ptr<Topology> matrix(std::string_view text, nanoseconds base = 0ns) {
  auto made = make_delay_matrix("m.txt", text, base);
  REQUIRE_MESSAGE(made, (made ? std::string() : made.error()));
  return std::move(*made);
}

std::string complaint(std::string_view text) {
  const auto made = make_delay_matrix("m.txt", text);
  REQUIRE_FALSE(made);
  CHECK(made.error().find('\n') == std::string::npos);
  CHECK(made.error().starts_with("m.txt: "));
  return made.error();
}

}  // namespace

TEST_CASE("Pastry 2.1: sphere and transit-stub are reflexive, symmetric, a metric") {
  check_metric(*make_sphere({}), 1);
  check_metric(*make_sphere({7, 80ms, 0ns}), 2);
  check_metric(*make_sphere({7, 1ns, 0ns}), 3);
  check_metric(*make_sphere({7, 60s, 0ns}), 4);
  check_metric(*make_transit_stub({}), 5);
  check_metric(*make_transit_stub({9, 1ns, 1ns}), 6);
  check_metric(*make_transit_stub({9, 60s, 1ms}), 7);
}

TEST_CASE("sphere: nodes are spread evenly; nobody is farther than the opposite point") {
  const auto sphere = make_sphere({3, 100ms, 0ns});
  const std::vector<double> delays = sample_ms(*sphere, 50000);
  // The angle to a random point has density sin(a) / 2: mean a quarter turn, and the share within
  // an angle a is (1 - cos a) / 2.
  CHECK(mean(delays) == doctest::Approx(50.0).epsilon(0.01));
  CHECK(delays.back() <= 100.0);
  CHECK(delays.back() > 98.0);
  // A third of the way to the opposite point: an angle of 60 degrees.
  const auto near = std::lower_bound(delays.begin(), delays.end(), 100.0 / 3) - delays.begin();
  CHECK(static_cast<double>(near) / 50000 == doctest::Approx(0.25).epsilon(0.03));
}

TEST_CASE("transit-stub: delays within a domain, within a transit domain and between them") {
  const auto routers = make_transit_stub({5, 40ms, 1ms});
  const std::vector<double> delays = sample_ms(*routers, 50000);
  CHECK(delays.front() >= 2.0);  // two LANs
  CHECK(delays[delays.size() / 2] > 20.0);
  CHECK(delays[delays.size() / 2] < 250.0);
  CHECK(delays.back() < 16 * 40.0);
  // Of two random stub routers one pair in 500 shares the domain, and only those are very near.
  const auto near = std::lower_bound(delays.begin(), delays.end(), 2.0 + 9.0) - delays.begin();
  CHECK(static_cast<double>(near) / 50000 > 0.0012);
  CHECK(static_cast<double>(near) / 50000 < 0.01);
  // All delays scale with the link between transit domains.
  const auto twice = make_transit_stub({5, 80ms, 1ms});
  for (std::uint64_t i = 1; i < 1000; ++i) {
    CHECK(twice->delay(0, i) - 2ms <= 2 * (routers->delay(0, i) - 2ms));
    CHECK(twice->delay(0, i) - 2ms >= 2 * (routers->delay(0, i) - 2ms) - 2ns);
  }
}

TEST_CASE("topology: the same seed gives the same delays under every compiler, another others") {
  CHECK(make_sphere({1, 100ms, 100us})->delay(0, 1) == 84243392ns);
  CHECK(make_sphere({1, 100ms, 100us})->delay(0, ~0ULL) == 61327786ns);
  CHECK(make_transit_stub({1, 40ms, 1ms})->delay(0, 1) == 93700us);
  CHECK(make_transit_stub({1, 40ms, 1ms})->delay(0, ~0ULL) == 83200us);
  for (const std::string_view kind : {"sphere", "transit-stub"}) {
    const auto one = parse_topology(kind, 1);
    const auto other = parse_topology(kind, 2);
    int different = 0;
    for (std::uint64_t i = 1; i <= 100; ++i) {
      different += (*one)->delay(0, i) == (*other)->delay(0, i) ? 0 : 1;
    }
    CHECK(different > 95);
  }
}

TEST_CASE("delay matrix: numbers, units, comments, more places than rows") {
  const auto plain = matrix("# three cities\n0 1.5 2\n1.5, 0, 2.25 # near\n\n2\t2.25\t0\n");
  CHECK(plain->delay(0, 1) == 1500us);
  CHECK(plain->delay(1, 2) == 2250us);
  CHECK(plain->delay(2, 0) == 2ms);
  CHECK(plain->delay(4, 0) == 1500us);
  CHECK(plain->delay(3, 0) == 0us);  // two places in the same row
  CHECK(matrix("0 1\n1 0\n", 50us)->delay(3, 0) == 1050us);
  CHECK(matrix("0 1\n1 0\n", 50us)->delay(2, 0) == 50us);
  CHECK(matrix("0 1\n1 0\n", 50us)->delay(2, 2) == 0us);
  CHECK(matrix("unit us\n0 80000.2\n80000.2 0")->delay(0, 1) == 80001us);
  CHECK(matrix("unit us round-trip\n0 80000\n80000 0")->delay(0, 1) == 40ms);
  CHECK(matrix("unit s\r\n0 60\r\n60 0\r\n")->delay(0, 1) == 60s);
  CHECK(matrix("0")->delay(5, 9) == 0s);
  CHECK(matrix("0 1\n1 0\n")->description() == "matrix:m.txt (2 places, base 0s)");
}

TEST_CASE("delay matrix: what is wrong is said with its line") {
  CHECK(complaint("") == "m.txt: line 0: there is no row of delays");
  CHECK(complaint("0 1\n1 x\n") == "m.txt: line 2: \"x\" is not a delay from 0 to 60 s");
  CHECK(complaint("0 1\n# c\n2 0\n").find("line 3: delay 1 differs from the one back (line 1)") !=
        std::string::npos);
  CHECK(complaint("0 1\n1\n").find("line 2: 1 delays, but there are 2 rows") != std::string::npos);
  CHECK(complaint("0 1 1\n1 0 1\n").find("line 1: 3 delays") != std::string::npos);
  CHECK(complaint("0 1\n1 3\n").find("line 2: delay 2 is from a place to itself") !=
        std::string::npos);
  for (const std::string_view bad :
       {"0 -1\n-1 0\n", "0 nan\nnan 0\n", "0 inf\ninf 0\n", "0 60001\n60001 0\n",
        "0 1e99\n1e99 0\n", "0 1ms\n1ms 0\n", "unit ns\n0", "unit\n0", "unit us both\n0",
        "0 1\nunit us\n1 0\n"}) {
    CAPTURE(bad);
    complaint(bad);
  }
  std::string wide;
  for (std::size_t i = 0; i <= kDelayMatrixPlacesMax; ++i) wide += "0 ";
  complaint(wide);
  std::string tall;
  for (std::size_t i = 0; i <= kDelayMatrixPlacesMax; ++i) tall += "0\n";
  complaint(tall);
}

TEST_CASE("topology: sphere, transit-stub and matrix on the command line") {
  const auto description = [](std::string_view text) {
    return (*parse_topology(text, 4))->description();
  };
  CHECK(description("sphere") == "sphere:100ms (seed 4, base 100us)");
  CHECK(description("sphere:80ms") == "sphere:80ms (seed 4, base 100us)");
  CHECK(description("transit-stub") == "transit-stub:40ms (seed 4, 5050 routers, LAN 1ms)");
  CHECK(description("transit-stub:15ms") == "transit-stub:15ms (seed 4, 5050 routers, LAN 1ms)");
  const TextReader reader = [](const std::string& path) -> tl::expected<std::string, std::string> {
    if (path == "two.txt") return "0 3\n3 0\n";
    return tl::unexpected<std::string>(path + ": no such file");
  };
  const auto from_file = parse_topology("matrix:two.txt", 4, reader);
  REQUIRE(from_file);
  CHECK((*from_file)->delay(0, 1) == 3100us);
  CHECK(parse_topology("matrix:one.txt", 4, reader).error() == "one.txt: no such file");
  for (const std::string_view bad : {"matrix:two.txt", "matrix:", "matrix", "sphere:", "sphere:x",
                                     "transit-stub:61s", "stub", "none:", "plane:", "uniform"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_topology(bad, 4));
  }
}
