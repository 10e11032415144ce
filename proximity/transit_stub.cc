#include <algorithm>
#include <array>
#include <vector>

#include "proximity/places.h"
#include "proximity/topology.h"

namespace proximity {

using std::chrono::nanoseconds;

namespace {

// 10 transit domains of 5 routers, 10 stub domains at each transit router, 10 routers in each stub
// domain: 50 + 5,000 routers.
constexpr std::uint32_t kTransitDomains = 10;
constexpr std::uint32_t kTransitPerDomain = 5;
constexpr std::uint32_t kTransit = kTransitDomains * kTransitPerDomain;
constexpr std::uint32_t kStubDomainsPerTransit = 10;
constexpr std::uint32_t kStubDomains = kTransit * kStubDomainsPerTransit;
constexpr std::uint32_t kStubPerDomain = 10;
constexpr std::uint32_t kStub = kStubDomains * kStubPerDomain;
static_assert(kTransit + kStub == kTransitStubRouters);

// Delays are kept in 16 bits, as parts of the mean delay of a link between transit domains.
constexpr std::uint32_t kParts = 4000;
constexpr std::uint32_t kBetweenTransitDomains = kParts;
constexpr std::uint32_t kWithinTransitDomain = kParts / 4;
constexpr std::uint32_t kTransitToStub = kParts / 8;
constexpr std::uint32_t kWithinStubDomain = kParts / 40;

// Percentage of the pairs of one domain, and of the pairs of transit domains, that have a link
// beside the random tree that connects them all.
constexpr std::uint32_t kTransitLinkPercent = 40;
constexpr std::uint32_t kStubLinkPercent = 25;

// A way in the graph: its delay and, below, its links, so that the shorter delay counts first.
constexpr std::uint32_t kLinkBits = 8;
constexpr std::uint32_t kUnreachable = 1U << 30;
constexpr std::uint16_t parts_of(std::uint32_t way) {
  return static_cast<std::uint16_t>(way >> kLinkBits);
}
constexpr std::uint8_t links_of(std::uint32_t way) { return static_cast<std::uint8_t>(way); }

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(splitmix64(seed)) {}

  std::uint32_t below(std::uint32_t bound) {
    state_ = splitmix64(state_);
    return reduced(state_, bound);
  }
  bool percent(std::uint32_t chance) { return below(100) < chance; }
  // Evenly from half the mean to one and a half.
  std::uint32_t around(std::uint32_t mean) { return mean / 2 + below(mean + 1); }

 private:
  std::uint64_t state_;
};

// The matrix of the shortest ways in a graph with few nodes.
class Graph {
 public:
  explicit Graph(std::uint32_t size) : size_(size), ways_(std::size_t{size} * size, kUnreachable) {
    for (std::uint32_t i = 0; i < size; ++i) at(i, i) = 0;
  }

  std::uint32_t& at(std::uint32_t a, std::uint32_t b) { return ways_[std::size_t{a} * size_ + b]; }

  void link(std::uint32_t a, std::uint32_t b, std::uint32_t parts) {
    at(a, b) = at(b, a) = std::min(at(a, b), parts << kLinkBits | 1);
  }

  // Links first … first + count - 1: a random tree, and each further pair with a chance.
  void connect(Generator& random, std::uint32_t first, std::uint32_t count, std::uint32_t percent,
               std::uint32_t mean) {
    for (std::uint32_t b = 1; b < count; ++b) {
      const std::uint32_t parent = random.below(b);
      link(first + parent, first + b, random.around(mean));
      for (std::uint32_t a = 0; a < b; ++a) {
        if (a != parent && random.percent(percent)) link(first + a, first + b, random.around(mean));
      }
    }
  }

  // Floyd and Warshall.
  void close() {
    for (std::uint32_t via = 0; via < size_; ++via) {
      for (std::uint32_t a = 0; a < size_; ++a) {
        for (std::uint32_t b = 0; b < size_; ++b) {
          at(a, b) = std::min(at(a, b), at(a, via) + at(via, b));
        }
      }
    }
  }

 private:
  std::uint32_t size_;
  std::vector<std::uint32_t> ways_;
};

class TransitStub final : public Topology {
 public:
  explicit TransitStub(const TransitStubOptions& options)
      : options_(options),
        within_(std::size_t{kStub} * kStubPerDomain),
        within_links_(within_.size()) {
    Generator random(options.seed);
    lay_transit(random);
    for (std::uint32_t domain = 0; domain < kStubDomains; ++domain) lay_stub(random, domain);
  }

  // Rounded up, which keeps the triangle inequality exact.
  nanoseconds delay(std::uint64_t from, std::uint64_t to) const override {
    if (from == to) return {};
    const std::uint64_t parts = way(router(from), router(to)).parts;
    const auto core = static_cast<std::uint64_t>(options_.core_link.count());
    return 2 * options_.lan +
           nanoseconds(static_cast<std::int64_t>((parts * core + kParts - 1) / kParts));
  }

  // One more than links between them.
  std::optional<std::uint32_t> routers_between(std::uint64_t from,
                                               std::uint64_t to) const override {
    if (from == to) return 0;
    return way(router(from), router(to)).links + 1;
  }

  // A prefix for each level: transit domain (4 bits), its router (3), the stub domain there (4),
  // its router (4); then the host, never 0 or 255.
  std::optional<std::uint32_t> address(std::uint64_t place) const override {
    const std::uint32_t stub = router(place);
    const std::uint32_t domain = stub / kStubPerDomain;
    const std::uint32_t transit = domain / kStubDomainsPerTransit;
    const std::uint32_t above = (transit / kTransitPerDomain) << 3 | transit % kTransitPerDomain;
    const std::uint32_t network =
        above << 8 | (domain % kStubDomainsPerTransit) << 4 | stub % kStubPerDomain;
    const std::uint32_t host = 1 + reduced(splitmix64(place_hash(options_.seed, place)), 254);
    return 127U << 24 | network << 8 | host;
  }

  std::string description() const override {
    return "transit-stub:" + delay_text(options_.core_link) + " (seed " +
           std::to_string(options_.seed) + ", " + std::to_string(kTransitStubRouters) +
           " routers, LAN " + delay_text(options_.lan) + ")";
  }

 private:
  std::uint32_t router(std::uint64_t place) const {
    return reduced(place_hash(options_.seed, place), kStub);
  }

  struct Way {
    std::uint32_t parts;
    std::uint32_t links;
  };

  Way way(std::uint32_t a, std::uint32_t b) const {
    const std::uint32_t domain_a = a / kStubPerDomain;
    const std::uint32_t domain_b = b / kStubPerDomain;
    if (domain_a == domain_b) {
      const std::size_t pair = std::size_t{a} * kStubPerDomain + b % kStubPerDomain;
      return {within_[pair], within_links_[pair]};
    }
    const std::uint32_t transit_a = domain_a / kStubDomainsPerTransit;
    const std::uint32_t transit_b = domain_b / kStubDomainsPerTransit;
    const std::size_t between = transit_a * kTransit + transit_b;
    return {std::uint32_t{up_[a]} + between_[between] + up_[b],
            std::uint32_t{up_links_[a]} + between_links_[between] + up_links_[b]};
  }

  void lay_transit(Generator& random) {
    Graph graph(kTransit);
    for (std::uint32_t domain = 0; domain < kTransitDomains; ++domain) {
      graph.connect(random, domain * kTransitPerDomain, kTransitPerDomain, kTransitLinkPercent,
                    kWithinTransitDomain);
    }
    const auto some_router = [&](std::uint32_t domain) {
      return domain * kTransitPerDomain + random.below(kTransitPerDomain);
    };
    for (std::uint32_t b = 1; b < kTransitDomains; ++b) {
      const std::uint32_t parent = random.below(b);
      for (std::uint32_t a = 0; a < b; ++a) {
        if (a != parent && !random.percent(kTransitLinkPercent)) continue;
        graph.link(some_router(a), some_router(b), random.around(kBetweenTransitDomains));
      }
    }
    graph.close();
    for (std::uint32_t i = 0; i < kTransit * kTransit; ++i) {
      const std::uint32_t way = graph.at(i / kTransit, i % kTransit);
      between_[i] = parts_of(way);
      between_links_[i] = links_of(way);
    }
  }

  void lay_stub(Generator& random, std::uint32_t domain) {
    Graph graph(kStubPerDomain);
    graph.connect(random, 0, kStubPerDomain, kStubLinkPercent, kWithinStubDomain);
    graph.close();
    const std::uint32_t link = random.around(kTransitToStub);
    const std::uint32_t gateway = random.below(kStubPerDomain);
    const std::uint32_t first = domain * kStubPerDomain;
    for (std::uint32_t a = 0; a < kStubPerDomain; ++a) {
      up_[first + a] = static_cast<std::uint16_t>(parts_of(graph.at(a, gateway)) + link);
      up_links_[first + a] = static_cast<std::uint8_t>(links_of(graph.at(a, gateway)) + 1);
      for (std::uint32_t b = 0; b < kStubPerDomain; ++b) {
        const std::size_t pair = std::size_t{first + a} * kStubPerDomain + b;
        within_[pair] = parts_of(graph.at(a, b));
        within_links_[pair] = links_of(graph.at(a, b));
      }
    }
  }

  TransitStubOptions options_;
  std::array<std::uint16_t, kTransit * kTransit> between_{};  // transit routers
  std::array<std::uint16_t, kStub> up_{};                     // stub router to its transit router
  std::vector<std::uint16_t> within_;                         // within stub domains
  // The links of the same ways.
  std::array<std::uint8_t, kTransit * kTransit> between_links_{};
  std::array<std::uint8_t, kStub> up_links_{};
  std::vector<std::uint8_t> within_links_;
};

}  // namespace

std::unique_ptr<Topology> make_transit_stub(const TransitStubOptions& options) {
  return std::make_unique<TransitStub>(options);
}

}  // namespace proximity
