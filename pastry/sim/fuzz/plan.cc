#include "pastry/sim/fuzz/plan.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace pastry::sim::fuzz {
namespace {

constexpr std::array<std::string_view, kActionKinds> kNames = {
    "join",  "crash", "restart", "leave",       "pause",   "resume",   "split",
    "unite", "cut",   "mend",    "unreachable", "lookups", "requests", "work"};

bool is_fault(ActionKind kind) {
  switch (kind) {
    case ActionKind::crash:
    case ActionKind::restart:
    case ActionKind::leave:
    case ActionKind::pause:
    case ActionKind::split:
    case ActionKind::cut:
    case ActionKind::unreachable:
      return true;
    default:
      return false;
  }
}

bool deceives(ActionKind kind) {
  return kind == ActionKind::pause || kind == ActionKind::split || kind == ActionKind::cut;
}

class Planner {
 public:
  explicit Planner(std::uint64_t seed) : random_(seed ^ 0x66757a7aULL) { plan_.seed = seed; }

  Plan make() {
    choose_features();
    configure();
    place_nodes();
    grow();
    disturb();
    talk();
    serve();
    std::stable_sort(plan_.actions.begin(), plan_.actions.end(),
                     [](const Action& a, const Action& b) { return a.at < b.at; });
    return std::move(plan_);
  }

 private:
  bool coin() { return random_.below(2) == 0; }
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  std::uint64_t between(std::uint64_t min, std::uint64_t max) {
    return min + random_.below(max - min + 1);
  }
  template <typename T, std::size_t N>
  T pick(const T (&values)[N]) {
    return values[random_.below(N)];
  }
  std::uint32_t any_node() { return static_cast<std::uint32_t>(random_.below(nodes_)); }
  std::uint32_t other_than(std::uint32_t node) {
    return nodes_ < 2 ? node
                      : (node + 1 + static_cast<std::uint32_t>(random_.below(nodes_ - 1))) %
                            static_cast<std::uint32_t>(nodes_);
  }
  Duration moment(Duration from, Duration to) { return random_.between(from, std::max(from, to)); }

  void add(Duration at, ActionKind kind, std::uint32_t node, std::uint32_t other = 0,
           std::uint32_t count = 0) {
    plan_.actions.push_back({at, kind, node, other, count, random_.next()});
  }

  void choose_features() {
    // Two fifths of the plans deceive nobody, so that CorrectDelivery can be demanded throughout.
    const bool honest = random_.below(5) < 2;
    crash_ = coin();
    restart_ = coin();
    leave_ = coin();
    hint_ = coin();
    pause_ = coin() && !honest;
    split_ = coin() && !honest;
    cut_ = coin() && !honest;
    loss_ = coin() && !honest;
    duplication_ = coin();
    reordering_ = coin();
    bad_links_ = coin() && !honest;
    slow_ = coin() && !honest;
    const int kinds = crash_ + restart_ + leave_ + pause_ + split_ + cut_ + loss_ + duplication_;
    if (kinds < 2) crash_ = restart_ = true;
    if (restart_) crash_ = true;  // only who crashed or left can come back
  }

  void configure() {
    SimulatorOptions& options = plan_.options;
    options.seed = random_.next() >> 1;
    Config& config = options.config;
    const bool lan = coin();
    config = lan ? Config::lan() : Config::wan();
    config.digit_bits = coin() ? 4 : static_cast<int>(between(1, 8));
    config.leaf_set = pick({4, 6, 8, 8, 16, 32});
    config.neighbourhood = pick({0, 3, 8, 32});
    if (coin()) config.probe_retries = static_cast<int>(between(1, 3));
    if (coin()) bound_tightly(config);
    options.encode = coin();
    options.check_told = coin();
    options.address_survives_restart = coin();
    options.remembered_peers = coin() ? 32 : between(1, 4);
    options.paused_inbox_max = coin() ? 10000 : between(1, 50);
    spoil(options.network);
    const Duration longest = lan ? milliseconds(40) : milliseconds(300);
    if (one_in(4)) {
      proximity::SphereOptions sphere;
      sphere.seed = random_.next();
      sphere.half = longest;
      options.topology = proximity::make_sphere(sphere);
    } else if (coin()) {
      proximity::PlaneOptions plane;
      plane.seed = random_.next();
      plane.side = longest;
      options.topology = proximity::make_plane(plane);
    } else {
      options.topology =
          proximity::make_uniform(one_in(4) ? Duration{} : random_.between(Duration{}, longest));
    }
  }

  double share(std::uint64_t max_per_mille) {
    return static_cast<double>(between(1, max_per_mille)) / 1000.0;
  }

  void spoil(NetworkOptions& network) {
    if (loss_) network.loss = share(50);
    if (duplication_) network.duplication = share(100);
    if (reordering_) network.reordering = share(200);
    if (bad_links_) {
      (coin()   ? network.gray_links
       : coin() ? network.blocked_links
                : network.one_way_links) = share(100);
    }
    if (slow_) network.slow_nodes = share(300);
  }

  void bound_tightly(Config& config) {
    config.gap_batch = between(1, 4);
    config.gap_queue_max = between(1, 8);
    config.failed_max = between(4, 32);
    config.inactive_buffer_max = between(1, 8);
    config.unacknowledged_max = between(4, 64);
    config.pending_max = between(8, 128);
    config.hop_attempts = static_cast<int>(between(2, 8));
  }

  // Ids as different as what is known to break rings: one gap, long common prefixes, the ends.
  void place_nodes() {
    nodes_ = one_in(3) ? between(2, 6) : between(5, one_in(4) ? 40 : 20);
    const std::uint64_t style = random_.below(5);
    Id base = random_.id();
    for (std::size_t i = 0; i < nodes_; ++i) {
      Id id = random_.id();
      if (style == 1 && i >= nodes_ / 3) {  // many in one gap
        id = base + Id(0, id.low() | 1);
      } else if (style == 2) {  // neighbours
        id = base + Id(0, i * between(1, 3) + 1);
      } else if (style == 3 && i < 4) {  // the ends of the number range
        constexpr std::array<Id, 4> ends = {Id(0, 0), Id(~0ULL, ~0ULL), Id(0, 1),
                                            Id(1ULL << 63, 0)};
        id = ends[i];
      }
      if (std::find(plan_.ids.begin(), plan_.ids.end(), id) == plan_.ids.end()) {
        plan_.ids.push_back(id);
      }
    }
    nodes_ = plan_.ids.size();
    // Who founds and in which order they come is random as well.
    for (std::size_t i = nodes_; i > 1; --i) {
      std::swap(plan_.ids[i - 1], plan_.ids[random_.below(i)]);
    }
  }

  void grow() {
    const Duration beat = plan_.beat();
    add(Duration{}, ActionKind::join, 0, 0);
    Duration at = random_.between(Duration{}, beat);
    const std::size_t first = coin() ? nodes_ : 1 + nodes_ / 2;  // the others come later
    std::uint32_t next = 1;
    while (next < first) {
      const std::uint64_t together = coin() ? 1 : between(2, 16);
      for (std::uint64_t i = 0; i < together && next < first; ++i, ++next) {
        const Duration apart =
            one_in(3) ? random_.between(Duration{}, milliseconds(30)) : Duration{};
        add(at + apart, ActionKind::join, next, static_cast<std::uint32_t>(random_.below(next)));
      }
      at += one_in(4) ? random_.between(Duration{}, beat * 3)
                      : random_.between(Duration{}, milliseconds(200));
    }
    grown_ = at;
    end_ = grown_ + beat * static_cast<std::int64_t>(between(20, 90));
    for (; next < nodes_; ++next) {
      add(moment(grown_ / 2, end_), ActionKind::join, next,
          static_cast<std::uint32_t>(random_.below(next)));
    }
  }

  void disturb() {
    const Duration beat = plan_.beat();
    const std::uint64_t rounds = between(1, 12);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const Duration at = moment(one_in(3) ? Duration{} : grown_, end_);
      if (crash_ && coin()) crash_some(at);
      if (leave_ && one_in(3)) {
        const std::uint32_t node = any_node();
        add(at, ActionKind::leave, node);
        if (coin()) add(at + moment(Duration{}, beat * 10), ActionKind::restart, node, any_node());
      }
      if (pause_ && one_in(2)) {
        const std::uint32_t node = any_node();
        add(at, ActionKind::pause, node);
        add(at + moment(Duration{}, beat * 15), ActionKind::resume, node);
      }
      if (split_ && one_in(4)) split(at);
      if (cut_ && one_in(2)) cut(at);
      if (hint_ && one_in(2)) {
        const std::uint32_t node = any_node();
        add(at, ActionKind::unreachable, node, other_than(node));
      }
    }
    while (plan_.fault_kinds() < 2) {
      const std::uint32_t node = any_node();
      add(moment(grown_, end_), coin() ? ActionKind::crash : ActionKind::leave, node);
      add(end_, ActionKind::restart, node, any_node());
    }
    if (restart_ && one_in(4)) everybody_down_and_up(moment(grown_, end_));
  }

  void crash_some(Duration at) {
    const Duration beat = plan_.beat();
    const std::uint64_t victims =
        one_in(4) ? between(1, std::max<std::uint64_t>(1, nodes_ / 2)) : 1;
    for (std::uint64_t i = 0; i < victims; ++i) {
      const std::uint32_t node = any_node();
      add(at, ActionKind::crash, node);
      if (restart_ && coin()) {
        const Duration away =
            one_in(2) ? moment(Duration{}, milliseconds(500)) : moment(beat, beat * 20);
        add(at + away, ActionKind::restart, node, any_node());
      }
    }
  }

  void everybody_down_and_up(Duration at) {
    for (std::uint32_t node = 0; node < nodes_; ++node) add(at, ActionKind::crash, node);
    for (std::uint32_t node = 0; node < nodes_; ++node) {
      add(at + moment(Duration{}, plan_.beat() * 3), ActionKind::restart, node, any_node());
    }
  }

  void split(Duration at) {
    const std::uint32_t sides = coin() ? 2 : 3;
    for (std::uint32_t node = 0; node < nodes_; ++node) {
      const auto side = static_cast<std::uint32_t>(random_.below(sides));
      if (side != 0) add(at, ActionKind::split, node, 0, side);
    }
    add(at + moment(Duration{}, plan_.beat() * 40), ActionKind::unite, 0);
  }

  void cut(Duration at) {
    const std::uint64_t links = coin() ? 1 : between(1, nodes_);
    const bool both = coin();
    for (std::uint64_t i = 0; i < links; ++i) {
      const std::uint32_t node = any_node();
      const std::uint32_t other = other_than(node);
      add(at, ActionKind::cut, node, other);
      if (both) add(at, ActionKind::cut, other, node);
    }
    if (coin()) add(at + moment(Duration{}, plan_.beat() * 30), ActionKind::mend, 0);
  }

  void talk() {
    const std::uint64_t bursts = between(10, 60);
    for (std::uint64_t i = 0; i < bursts; ++i) {
      const auto count = static_cast<std::uint32_t>(between(1, 20));
      const bool ask = one_in(4);
      add(moment(Duration{}, end_), ask ? ActionKind::requests : ActionKind::lookups, any_node(), 0,
          count);
    }
  }

  // Drawn last: a seed is otherwise the same with services and without.
  void serve() {
    plan_.files = coin();
    plan_.topics = coin();
    if (!plan_.files && !plan_.topics) return;
    // The replica layer asks a whole replica set at once, and who is the root of some topics all of
    // their children when the trees are walked; with less a record could never be read nor a tree
    // be walked whole.
    constexpr std::size_t kTopicsOfOneRoot = 4;
    const std::size_t asked = plan_.topics ? kTopicsOfOneRoot * nodes_ : 0;
    Config& config = plan_.options.config;
    config.pending_max = std::max({config.pending_max, std::size_t(2 * config.leaf_set), asked});
    const std::uint64_t bursts = between(5, 40);
    for (std::uint64_t i = 0; i < bursts; ++i) {
      const auto count = static_cast<std::uint32_t>(between(1, 8));
      add(moment(Duration{}, end_), ActionKind::work, any_node(), 0, count);
    }
  }

  Plan plan_;
  Random random_;
  std::size_t nodes_ = 0;
  Duration grown_{};
  Duration end_{};
  bool crash_ = false, restart_ = false, leave_ = false, hint_ = false, pause_ = false;
  bool split_ = false, cut_ = false, loss_ = false, duplication_ = false;
  bool reordering_ = false, bad_links_ = false, slow_ = false;
};

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

}  // namespace

std::string_view name(ActionKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

bool Plan::crash_only() const {
  return !options.network.deceives() &&
         std::none_of(actions.begin(), actions.end(),
                      [](const Action& action) { return deceives(action.kind); });
}

std::size_t Plan::fault_kinds() const {
  std::array<bool, kActionKinds> seen{};
  for (const Action& action : actions) {
    if (is_fault(action.kind)) seen[static_cast<std::size_t>(action.kind)] = true;
  }
  const auto of_network = std::count_if(kNetworkShares.begin(), kNetworkShares.end(),
                                        [this](const NetworkShare& share) {
                                          return share.is_fault && options.network.*share.value > 0;
                                        });
  return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true) + of_network);
}

Plan make_plan(std::uint64_t seed) { return Planner(seed).make(); }

std::string describe_configuration(const Plan& plan) {
  const SimulatorOptions& options = plan.options;
  const Config& config = options.config;
  std::string text = std::to_string(plan.ids.size()) + " nodes, " +
                     (config.heartbeat_period == Config::lan().heartbeat_period ? "lan" : "wan");
  text += ", b " + std::to_string(config.digit_bits) + ", l " + std::to_string(config.leaf_set) +
          ", |M| " + std::to_string(config.neighbourhood) + ", probe retries " +
          std::to_string(config.probe_retries);
  text += ", batch " + std::to_string(config.gap_batch) + ", queue " +
          std::to_string(config.gap_queue_max) + ", attempts " +
          std::to_string(config.hop_attempts);
  text += ", " + (options.topology ? options.topology->description() : std::string("uniform"));
  for (const NetworkShare& share : kNetworkShares) {
    const double value = options.network.*share.value;
    if (share.is_fault && value > 0) text += ", " + std::string(share.label) + " " + number(value);
  }
  text += options.encode ? ", encoded" : ", not encoded";
  text += options.address_survives_restart ? ", addresses kept" : ", addresses change";
  if (plan.files) text += ", files";
  if (plan.topics) text += ", topics";
  text += plan.crash_only() ? ", crash-only" : "";
  return text;
}

std::string describe(const Action& action) {
  std::string text(name(action.kind));
  const std::string node = " n" + std::to_string(action.node);
  const std::string other = " n" + std::to_string(action.other);
  switch (action.kind) {
    case ActionKind::join:
    case ActionKind::restart:
      return text + node + " through" + other;
    case ActionKind::cut:
    case ActionKind::unreachable:
      return text + node + " to" + other;
    case ActionKind::split:
      return text + node + " to side " + std::to_string(action.count);
    case ActionKind::lookups:
    case ActionKind::requests:
      return std::to_string(action.count) + " " + text + " from" + node;
    case ActionKind::work:
      return std::to_string(action.count) + " operations of services at" + node;
    case ActionKind::unite:
    case ActionKind::mend:
      return text;
    default:
      return text + node;
  }
}

}  // namespace pastry::sim::fuzz
