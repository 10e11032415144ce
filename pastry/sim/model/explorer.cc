#include "pastry/sim/model/explorer.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "pastry/core/midpoint.h"
#include "pastry/sim/model/visited.h"
#include "pastry/sim/model/world.h"

namespace pastry::sim::model {
namespace {

using RealClock = std::chrono::steady_clock;

class Explorer {
 public:
  explicit Explorer(const ExplorerOptions& options) : options_(options) {
    report_.scenario = options.scenario;
    configure();
    place();
  }

  ModelReport run() {
    const RealClock::time_point began = RealClock::now();
    World start = prepare();
    if (report_.violation.empty()) search(std::move(start));
    report_.states = visited_.size();
    report_.complete = report_.violation.empty() && !cut_short_;
    report_.wall_s = std::chrono::duration<double>(RealClock::now() - began).count();
    return std::move(report_);
  }

 private:
  struct Place {
    World world;
    std::uint64_t ahead = 0;  // choices still to follow
    std::uint64_t sleep = 0;  // choices that need not be followed here
    std::size_t crashes = 0;  // left
    std::string how;          // the choice that led here
  };

  void configure() {
    frame_.config = Config::lan();
    frame_.config.leaf_set = options_.leaf_set;
    frame_.config.neighbourhood = 0;
  }

  // Members and joiners alternate around the ring as far as there are both, so that joiners meet in
  // one gap as well as in different ones.
  void place() {
    const std::size_t nodes = options_.scenario.nodes();
    for (std::size_t i = 0; i < nodes; ++i) {
      const std::uint64_t place =
          i < options_.scenario.members ? 2 * i : 2 * ((i - options_.scenario.members) / 2) + 1;
      const std::uint64_t shift = i < options_.scenario.members ? 0 : i * 0x0123456789abcdULL;
      frame_.handles.push_back(handle_of(Id((place << 60) + shift, 1000 * i), 1));
    }
    std::vector<Id> ids;
    for (const Handle handle : frame_.handles) ids.push_back(frame_.directory.id(handle));
    std::sort(ids.begin(), ids.end());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const Id& next = ids[(i + 1) % ids.size()];
      const Id& second = ids[(i + 2) % ids.size()];
      frame_.probes.push_back(ids[i]);
      for (const Id& middle : {midpoint(ids[i], next), midpoint(ids[i], second)}) {
        frame_.probes.push_back(middle);
        frame_.probes.push_back(middle + Id(0, 1));
      }
    }
  }

  Handle handle_of(const Id& id, std::uint64_t incarnation) {
    PeerInfo info;
    info.id = id;
    info.incarnation = incarnation;
    info.host.addresses = {id.hex()};
    return frame_.directory.intern(info);
  }

  // The ring of the members, formed in one order, at rest; then everybody who joins begins.
  World prepare() {
    const Scenario& scenario = options_.scenario;
    World world(frame_);
    world.found(0);
    for (std::size_t node = 1; node < scenario.members; ++node) {
      world.join(node, {frame_.handles[0]}, false);
      settle(world, node + 1);
    }
    std::vector<Handle> members(
        frame_.handles.begin(),
        frame_.handles.begin() + static_cast<std::ptrdiff_t>(scenario.members));
    for (std::size_t i = 0; i < scenario.restarts; ++i) {
      const std::size_t node = scenario.members - 1 - i;
      world.crash(node);
      frame_.handles[node] = handle_of(frame_.directory.id(frame_.handles[node]), 2);
      std::vector<Handle> others = members;
      std::erase_if(others, [&](Handle peer) { return frame_.node_of(peer) == node; });
      world.join(node, others, true);
    }
    for (std::size_t node = scenario.members; node < scenario.nodes(); ++node) {
      std::vector<Handle> seeds = members;
      for (std::size_t other = scenario.members; other < scenario.nodes(); ++other) {
        if (other != node) seeds.push_back(frame_.handles[other]);
      }
      world.join(node, seeds, false);
    }
    return world;
  }

  void settle(World& world, std::size_t nodes) {
    const Time limit = world.now() + options_.horizon;
    while (world.now() < limit) {
      const std::uint64_t ready = world.deliveries();
      if (ready != 0) {
        world.take(Choice::from_bit(std::countr_zero(ready)));
      } else if (ring_right(world, nodes)) {
        return;
      } else {
        world.take(Choice::tick());
      }
    }
    report_.violation = "the ring of the members does not form";
  }

  // --- The search ---

  void search(World start) {
    stack_.push_back({std::move(start), 0, 0, options_.scenario.crashes, "start"});
    enter(stack_.back());
    while (!stack_.empty() && report_.violation.empty()) {
      Place& place = stack_.back();
      if (place.ahead == 0) {
        stack_.pop_back();
        continue;
      }
      const Choice choice = Choice::from_bit(std::countr_zero(place.ahead));
      place.ahead &= ~choice.bit();
      follow(place, choice);
    }
  }

  void follow(Place& place, Choice choice) {
    const bool crash = !choice.is_delivery() && !choice.is_tick();
    Place next{place.world, 0, asleep(place.sleep, choice), place.crashes - (crash ? 1 : 0),
               place.world.describe(choice)};
    place.sleep |= choice.bit();
    next.world.take(choice);
    ++report_.transitions;
    stack_.push_back(std::move(next));
    enter(stack_.back());
    report_.depth = std::max(report_.depth, stack_.size());
  }

  static std::uint64_t asleep(std::uint64_t sleep, Choice taken) {
    std::uint64_t still = 0;
    for (std::uint64_t rest = sleep; rest != 0; rest &= rest - 1) {
      const Choice choice = Choice::from_bit(std::countr_zero(rest));
      if (Choice::independent(choice, taken)) still |= choice.bit();
    }
    return still;
  }

  // Decides what is to be followed from the last place of the stack.
  void enter(Place& place) {
    const std::uint64_t key = place.world.hash() + place.crashes * 0x9e3779b97f4a7c15ULL;
    if (std::uint64_t* slept = visited_.find(key)) {
      place.ahead = *slept & ~place.sleep;
      place.sleep &= *slept;
      *slept = place.sleep;
      return;
    }
    if (visited_.size() >= options_.states_max) {
      cut_short_ = true;
      return;
    }
    visited_.insert(key, place.sleep);
    check(place);
    if (report_.violation.empty()) place.ahead = choices(place) & ~place.sleep;
  }

  std::uint64_t choices(const Place& place) {
    std::uint64_t set = place.world.deliveries();
    if (set == 0) {
      if (ring_right(place.world, frame_.nodes())) {
        ++report_.ends;
      } else if (anybody_active(place.world)) {
        set = Choice::tick().bit();
      }
    }
    for (std::size_t node = 0; node < frame_.nodes() && place.crashes > 0; ++node) {
      if (place.world.runs(node)) set |= Choice::crash(node).bit();
    }
    return set;
  }

  bool anybody_active(const World& world) const {
    for (std::size_t i = 0; i < frame_.nodes(); ++i) {
      if (world.active(i)) return true;
    }
    return false;
  }

  // Everybody of the first `nodes` that runs is active and knows its neighbours.
  bool ring_right(const World& world, std::size_t nodes) const {
    std::vector<std::size_t> ring;
    for (std::size_t i = 0; i < nodes; ++i) {
      if (!world.runs(i)) continue;
      if (!world.active(i)) return false;
      ring.push_back(i);
    }
    std::sort(ring.begin(), ring.end(), [&](std::size_t a, std::size_t b) {
      return frame_.directory.id(frame_.handles[a]) < frame_.directory.id(frame_.handles[b]);
    });
    if (ring.size() < 2) return !ring.empty() && world.node(ring[0]).tables().leaf_set.empty();
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const LeafSet& leaves = world.node(ring[i]).tables().leaf_set;
      const Handle left = frame_.handles[ring[(i + ring.size() - 1) % ring.size()]];
      const Handle right = frame_.handles[ring[(i + 1) % ring.size()]];
      if (leaves.left_neighbour() != left || leaves.right_neighbour() != right) return false;
    }
    return true;
  }

  // --- What must hold in every state ---

  void check(const Place& place) {
    const World& world = place.world;
    for (std::size_t i = 0; i < frame_.nodes(); ++i) {
      for (std::size_t j = 0; j < frame_.nodes(); ++j) {
        if (i == j) continue;
        check_pair(world, i, j);
      }
    }
    if (world.now() - Time(std::chrono::hours(1)) > options_.horizon) {
      violate("after " + std::to_string(std::chrono::duration<double>(options_.horizon).count()) +
              " s the ring is still not right");
    }
  }

  // What `a` delivers, `b` does not deliver too; and `b` is not active and closer.
  void check_pair(const World& world, std::size_t a, std::size_t b) {
    std::uint64_t keys = world.delivers(a);
    if (keys == 0 || !world.active(b)) return;
    const std::uint64_t both = keys & world.delivers(b);
    if (both != 0) return violate("two roots, " + pair(a, b), both);
    for (; keys != 0; keys &= keys - 1) {
      const Key& key = frame_.probes[static_cast<std::size_t>(std::countr_zero(keys))];
      if (!closer(key, frame_.directory.id(frame_.handles[b]),
                  frame_.directory.id(frame_.handles[a]))) {
        continue;
      }
      return violate("a root that is not the closest, " + pair(a, b), keys & (~keys + 1));
    }
  }

  static std::string pair(std::size_t a, std::size_t b) {
    return "n" + std::to_string(a) + " beside n" + std::to_string(b);
  }

  void violate(std::string what, std::uint64_t keys = 0) {
    if (!report_.violation.empty()) return;
    if (keys != 0) {
      what += ", for key " + frame_.probes[static_cast<std::size_t>(std::countr_zero(keys))].hex();
    }
    report_.violation = std::move(what);
    for (const Place& place : stack_) report_.path.push_back(place.how);
  }

  const ExplorerOptions& options_;
  Frame frame_;
  ModelReport report_;
  Visited visited_;
  std::vector<Place> stack_;
  bool cut_short_ = false;
};

}  // namespace

ModelReport explore(const ExplorerOptions& options) { return Explorer(options).run(); }

std::vector<Scenario> scenarios(std::size_t nodes, bool crash) {
  std::vector<Scenario> all;
  for (std::size_t members = 1; members < nodes; ++members) {
    Scenario scenario;
    scenario.members = members;
    scenario.joiners = nodes - members;
    scenario.crashes = crash ? 1 : 0;
    scenario.name = std::to_string(members) + " members, " + std::to_string(nodes - members) +
                    " joining" + (crash ? ", one crash" : "");
    all.push_back(scenario);
  }
  Scenario restart;
  restart.members = nodes;
  restart.joiners = 0;
  restart.restarts = 1;
  restart.crashes = crash && nodes > 2 ? 1 : 0;
  restart.name = std::to_string(nodes) + " members, one restarting" +
                 (restart.crashes > 0 ? ", one crash" : "");
  all.push_back(restart);
  return all;
}

}  // namespace pastry::sim::model
