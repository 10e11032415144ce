// Plans and seeds that once broke a rule.
#include <doctest/doctest.h>

#include "pastry/sim/fuzz/minimise.h"

namespace pastry::sim::fuzz {

namespace {

std::string broken(const RunResult& result) {
  return result.violation ? result.violation->rule + ": " + result.violation->what : "";
}

// A node of three is cut off for a while. Those that had called each other dead went on probing on
// each other's word, at the pace of the round trip: without delay for ever at one moment.
Plan storm_after_partition() {
  Plan plan;
  plan.options.config = Config::wan();
  plan.options.config.leaf_set = 4;
  plan.options.topology = proximity::make_uniform(Duration{});
  const Duration beat = plan.beat();
  plan.ids = {Id(1ULL << 60, 1), Id(5ULL << 60, 2), Id(9ULL << 60, 3)};
  plan.actions = {{Duration{}, ActionKind::join, 0, 0},
                  {beat * 2, ActionKind::join, 1, 0},
                  {beat * 4, ActionKind::join, 2, 1},
                  {beat * 40, ActionKind::split, 2, 0, 1},
                  {beat * 44, ActionKind::unite, 0}};
  return plan;
}

}  // namespace

TEST_CASE("no storm of probes after a partition") {
  const RunResult result = run(storm_after_partition());
  CHECK_MESSAGE(!result.violation, broken(result));
}

TEST_CASE("seeds that once failed") {
  // 7, 27, 43, 54: probes without end. 3, 5, 79, 87, 326: two roots. 127, 188, 233: rings that
  // stayed apart. 110: probes without end after a partition, in a ring of six. 136, 202, 458, 716,
  // 963, 1236: rings founded side by side after all had been down, with other addresses. 5716,
  // 6343, 8509: two roots after restarts side by side. 689, 966, 8922: joiners of two rings that
  // met kept each other, and then everybody, from their leases. 9782: all members down, though not
  // at once. 8101: two nodes, each with one lease of the other. 1609, 9608: joiners found dead by
  // probes sent before they had a place. 3104, 4914: joiners without a place that blamed others.
  // 70: an outcome for an earlier life of the root. 1256: founded again while answers were on their
  // way. 3248: two, of whom neither ever heard of the other. 10898, 16335, 17064: a guard that
  // ended reopened a gap in the middle of a batch. 12833: a relay that had been pushed out of the
  // leaf set. 13726: a request that outlived its joiner. 10377,
  // 10573, 17322, 17605, 19160: neighbours far around the ring after many deaths at once. 29594:
  // dead on another's word while its messages came. 22115: the one remembered peer that could be
  // reached was not tried. 23356, 30000: a founder that remembered nobody. 53814: a replica lookup
  // sent to and fro for ever. 36354: a joiner asked before it had a place. 42347: an entry that a
  // leaf could have replaced. 29271: a side of the leaf set that restarted, and nobody behind it.
  // 19856: the only one that remembered another ring took its own, which had grown, for whole.
  // 14031: nodes that asked only each other for rows, of which none had a certain entry. 17171: a
  // whole side of a leaf set died and came back at once, and who stood beyond it was forgotten.
  // 44977: the last survivor waited for the leaf sets of joiners, who waited for it. 44377: whom
  // the operator had named was one of thirty that a node without a ring tried in turn.
  for (const std::uint64_t seed :
       {3,     5,     7,     27,    43,    54,    79,    87,    110,   127,   136,   188,
        202,   233,   326,   458,   689,   716,   963,   966,   1236,  1256,  1609,  3104,
        3248,  5716,  6343,  8101,  8509,  8922,  9608,  9782,  70,    4914,  10898, 12833,
        13726, 16335, 17064, 10377, 10573, 17322, 17605, 19160, 14031, 17171, 19856, 22115,
        23356, 29594, 29271, 30000, 36354, 42347, 44377, 44977, 53814}) {
    CAPTURE(seed);
    RunOptions options;
    options.events_min = 3000;
    const RunResult result = run(make_plan(seed), options);
    CHECK_MESSAGE(!result.violation, broken(result));
  }
}

TEST_CASE("the minimiser leaves a plan alone that does not fail") {
  MinimiseOptions options;
  options.run.events_min = 1000;
  const Plan plan = storm_after_partition();
  const Minimised same = minimise(plan, options);
  CHECK(same.runs == 1);
  CHECK(same.plan.actions.size() == plan.actions.size());
}

namespace {

// Break a rule as soon as a node works, in plans with topics.
class BrokenGuests final : public Guests {
 public:
  explicit BrokenGuests(bool topics) : topics_(topics) {}
  void configure(SimulatorOptions&) override {}
  void begin(Simulator&, Watcher& watcher, bool) override { watcher_ = &watcher; }
  void install(NodeIndex) override {}
  void work(NodeIndex, std::uint32_t, std::uint64_t) override {
    if (topics_) watcher_->fail("works", "a node works");
  }
  void gone(NodeIndex) override {}
  void excuse() override {}
  void examine() override {}
  void proceed() override {}
  std::string unrest() const override { return {}; }
  GuestFigures figures() const override { return {}; }

 private:
  bool topics_;
  Watcher* watcher_ = nullptr;
};

}  // namespace

TEST_CASE("the minimiser cuts down what services do, and leaves out those that do not matter") {
  Plan plan = storm_after_partition();
  plan.files = plan.topics = true;
  plan.actions.push_back({plan.actions.back().at, ActionKind::work, 0, 0, 8, 1});
  MinimiseOptions options;
  options.run.events_min = 1000;
  options.run.guests = [](const Plan& of) { return std::make_unique<BrokenGuests>(of.topics); };
  const Minimised smallest = minimise(plan, options);
  REQUIRE(smallest.result.violation);
  CHECK(smallest.result.violation->rule == "works");
  CHECK_FALSE(smallest.plan.files);
  CHECK(smallest.plan.topics);
  REQUIRE(smallest.plan.actions.size() == 2);
  CHECK(smallest.plan.actions[1].kind == ActionKind::work);
  CHECK(smallest.plan.actions[1].count == 1);
}

}  // namespace pastry::sim::fuzz
